using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cluster.Messages.Protobuf;

/// <summary>
/// Protobuf primitives written at a position: <c>(buffer, position, value) -> next position</c>. The caller has made room
/// (<see cref="VarintSize"/>); too little of it throws <see cref="IndexOutOfRangeException"/> or <see cref="ArgumentException"/>.
/// </summary>
public static class WireWriter
{
    /// <summary>Bytes of the longest varint.</summary>
    public const int MaxVarintSize = 10;

    /// <summary>Bytes that <paramref name="value"/> takes as a varint, 1 to 10.</summary>
    public static int VarintSize(ulong value) => (63 - BitOperations.LeadingZeroCount(value | 1)) / 7 + 1;

    /// <summary>Bytes of a field of <paramref name="length"/> bytes with a one-byte tag: tag, length, content.</summary>
    public static int LengthDelimitedSize(int length) => 1 + VarintSize((uint)length) + length;

    /// <summary>Writes a varint.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WriteVarint(Span<byte> buffer, int position, ulong value)
    {
        while (value >= 0x80)
        {
            buffer[position++] = (byte)(value | 0x80);
            value >>= 7;
        }

        buffer[position++] = (byte)value;
        return position;
    }

    /// <summary>Writes the tag of a field.</summary>
    public static int WriteTag(Span<byte> buffer, int position, int field, WireType type) =>
        WriteVarint(buffer, position, ((uint)field << 3) | (uint)type);

    /// <summary>Writes tag and length of a length-delimited field whose content the caller writes next.</summary>
    public static int WriteLengthPrefix(Span<byte> buffer, int position, int field, int length) =>
        WriteVarint(buffer, WriteTag(buffer, position, field, WireType.LengthDelimited), (uint)length);

    /// <summary>Writes a length-delimited field.</summary>
    public static int WriteBytes(Span<byte> buffer, int position, int field, ReadOnlySpan<byte> value)
    {
        position = WriteLengthPrefix(buffer, position, field, value.Length);
        value.CopyTo(buffer[position..]);
        return position + value.Length;
    }

    /// <summary>Writes a varint field.</summary>
    public static int WriteVarintField(Span<byte> buffer, int position, int field, ulong value) =>
        WriteVarint(buffer, WriteTag(buffer, position, field, WireType.Varint), value);

    /// <summary>Writes a fixed64 field.</summary>
    public static int WriteFixed64Field(Span<byte> buffer, int position, int field, ulong value)
    {
        position = WriteTag(buffer, position, field, WireType.Fixed64);
        BinaryPrimitives.WriteUInt64LittleEndian(buffer[position..], value);
        return position + sizeof(ulong);
    }

    /// <summary>Writes a fixed32 field.</summary>
    public static int WriteFixed32Field(Span<byte> buffer, int position, int field, uint value)
    {
        position = WriteTag(buffer, position, field, WireType.Fixed32);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer[position..], value);
        return position + sizeof(uint);
    }
}
