using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace Cluster.Messages.Identity;

/// <summary>
/// A W3C trace ID: 16 bytes, held as two big-endian halves. All zero is invalid
/// (<see href="https://www.w3.org/TR/trace-context/#trace-id"/>).
/// </summary>
/// <param name="High">Bytes 0 to 7, big-endian.</param>
/// <param name="Low">Bytes 8 to 15, big-endian.</param>
public readonly record struct TraceId(ulong High, ulong Low)
{
    /// <summary>Bytes of a trace ID on the wire.</summary>
    public const int Size = 16;

    /// <summary>False for the all-zero ID, which no trace may have.</summary>
    public bool IsValid => (High | Low) != 0;

    /// <summary>Reads the first 16 bytes of <paramref name="bytes"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 16 bytes.</exception>
    public static TraceId Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    /// <summary>Writes 16 bytes to the start of <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 16 bytes of room.</exception>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
    }

    /// <summary>Parses 32 hexadecimal digits of either case.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out TraceId traceId)
    {
        traceId = default;
        if (text is not { Length: 2 * Size }
            || !ulong.TryParse(text.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong high)
            || !ulong.TryParse(text.AsSpan(16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong low))
        {
            return false;
        }

        traceId = new TraceId(high, low);
        return true;
    }

    /// <summary>A well mixed 64-bit hash of all 16 bytes, the same on every machine and in every release: shards are chosen by
    /// it.</summary>
    public ulong Mix()
    {
        // The finaliser of splitmix64 over both halves; the rotation keeps (a, b) and (b, a) apart.
        ulong x = High ^ BitOperations.RotateLeft(Low, 32);
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
        x ^= Low;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
        return x ^ (x >> 31);
    }

    /// <summary>The shard, 0 to <paramref name="shardCount"/> - 1, that owns this trace.</summary>
    public int Shard(int shardCount) => (int)(Mix() % (uint)shardCount);

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{High:x16}{Low:x16}");
}
