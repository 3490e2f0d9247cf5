using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Cluster.Sampling.Decisions;

/// <summary>A set of byte strings, asked on the hot path: open addressing by length, first and last bytes. Immutable.</summary>
internal sealed class ByteStrings
{
    private readonly byte[]?[] _slots;
    private readonly uint _mask;
    private readonly ulong _lengths;

    /// <summary>The UTF-8 bytes of <paramref name="values"/>.</summary>
    public ByteStrings(IEnumerable<string> values)
    {
        byte[][] strings = [.. values.Distinct(StringComparer.Ordinal).Select(Encoding.UTF8.GetBytes)];
        Count = strings.Length;
        _slots = new byte[]?[BitOperations.RoundUpToPowerOf2((uint)strings.Length * 2 + 1)];
        _mask = (uint)_slots.Length - 1;
        foreach (byte[] value in strings)
        {
            uint slot = Hash(value) & _mask;
            while (_slots[slot] is not null)
            {
                slot = (slot + 1) & _mask;
            }

            _slots[slot] = value;
            _lengths |= 1UL << Math.Min(value.Length, 63);
        }
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>Whether <paramref name="value"/> is one of them.</summary>
    public bool Contains(ReadOnlySpan<byte> value)
    {
        if ((_lengths & (1UL << Math.Min(value.Length, 63))) == 0)
        {
            return false;
        }

        for (uint slot = Hash(value) & _mask; _slots[slot] is { } candidate; slot = (slot + 1) & _mask)
        {
            if (value.SequenceEqual(candidate))
            {
                return true;
            }
        }

        return false;
    }

    private static uint Hash(ReadOnlySpan<byte> value)
    {
        ulong ends = value.Length < sizeof(ulong)
            ? Short(value)
            : BinaryPrimitives.ReadUInt64LittleEndian(value)
                + BitOperations.RotateLeft(BinaryPrimitives.ReadUInt64LittleEndian(value[^sizeof(ulong)..]), 23);
        return (uint)((ends + (uint)value.Length) * 0x9E3779B97F4A7C15UL >> 32);
    }

    private static ulong Short(ReadOnlySpan<byte> value)
    {
        ulong bytes = 0;
        foreach (byte b in value)
        {
            bytes = (bytes << 8) | b;
        }

        return bytes;
    }
}
