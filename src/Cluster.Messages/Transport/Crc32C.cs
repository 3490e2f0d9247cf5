using System.Numerics;
using System.Runtime.InteropServices;

namespace Cluster.Messages.Transport;

/// <summary>
/// CRC-32C, as iSCSI (RFC 3720, B.4) and others have it. The processor's instruction can begin a word in each cycle but takes three to end one, so three
/// stretches are hashed side by side and put together: a CRC is linear, and that of bytes followed by zeroes is a table lookup away.
/// </summary>
public static class Crc32C
{
    /// <summary>Bytes of each of the three stretches.</summary>
    private const int Stretch = 1024;

    private const int StretchWords = Stretch / sizeof(ulong);

    /// <summary>What a CRC becomes by a stretch of zeroes, for each value of each of its four bytes.</summary>
    private static readonly uint[] Zeroes = MakeZeroes();

    /// <summary>The CRC of some bytes.</summary>
    public static uint Hash(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        for (; bytes.Length >= 3 * Stretch; bytes = bytes[(3 * Stretch)..])
        {
            crc = Three(crc, MemoryMarshal.Cast<byte, ulong>(bytes[..(3 * Stretch)]));
        }

        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (byte b in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }

    private static uint Three(uint crc, ReadOnlySpan<ulong> words)
    {
        ReadOnlySpan<ulong> first = words[..StretchWords];
        ReadOnlySpan<ulong> second = words.Slice(StretchWords, StretchWords);
        ReadOnlySpan<ulong> third = words.Slice(2 * StretchWords, StretchWords);
        uint crcOfSecond = 0;
        uint crcOfThird = 0;
        for (int i = 0; i < first.Length; i++)
        {
            crc = BitOperations.Crc32C(crc, first[i]);
            crcOfSecond = BitOperations.Crc32C(crcOfSecond, second[i]);
            crcOfThird = BitOperations.Crc32C(crcOfThird, third[i]);
        }

        return Shift(Shift(crc) ^ crcOfSecond) ^ crcOfThird;
    }

    private static uint Shift(uint crc) =>
        Zeroes[crc & 0xFF] ^ Zeroes[256 + (crc >> 8 & 0xFF)] ^ Zeroes[512 + (crc >> 16 & 0xFF)] ^ Zeroes[768 + (crc >> 24)];

    private static uint[] MakeZeroes()
    {
        uint[] table = new uint[4 * 256];
        for (int i = 0; i < table.Length; i++)
        {
            uint crc = (uint)(i & 0xFF) << (i >> 8 << 3);
            for (int word = 0; word < StretchWords; word++)
            {
                crc = BitOperations.Crc32C(crc, 0UL);
            }

            table[i] = crc;
        }

        return table;
    }
}
