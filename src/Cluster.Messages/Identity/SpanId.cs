using System.Buffers.Binary;
using System.Globalization;

namespace Cluster.Messages.Identity;

/// <summary>A W3C span ID: 8 bytes, held big-endian. Zero is invalid, and means "no parent" where a parent is named.</summary>
/// <param name="Value">The eight bytes, big-endian.</param>
public readonly record struct SpanId(ulong Value)
{
    /// <summary>Bytes of a span ID on the wire.</summary>
    public const int Size = 8;

    /// <summary>False for the all-zero ID.</summary>
    public bool IsValid => Value != 0;

    /// <summary>Reads the first 8 bytes of <paramref name="bytes"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 8 bytes.</exception>
    public static SpanId Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt64BigEndian(bytes));

    /// <summary>16 lower-case hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}
