using System.Runtime.CompilerServices;
using Cluster.Messages.Protobuf;

namespace Cluster.Gateway.Splitting;

/// <summary>
/// A position in the whole request, so that every error carries its offset. Unlike <see cref="WireReader"/>, which reads one message, it
/// goes in and out of nested ones by a limit and never slices.
/// </summary>
internal ref struct RequestWalk(ReadOnlySpan<byte> bytes)
{
    public readonly ReadOnlySpan<byte> Bytes = bytes;
    public int Position;
    public WireError Error;

    public bool Fail(WireError error, int position)
    {
        Error = error;
        Position = position;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Tag(int end, out uint tag)
    {
        byte first = Bytes[Position];
        if (first is < 0x80 and >= 8 && (first & 7) <= 5)
        {
            tag = first;
            Position++;
            return true;
        }

        return TagSlow(end, out tag);
    }

    private bool TagSlow(int end, out uint tag)
    {
        int start = Position;
        tag = 0;
        if (!Varint(end, out ulong value))
        {
            return false;
        }

        if (value > uint.MaxValue || value >> 3 == 0)
        {
            return Fail(WireError.BadFieldNumber, start);
        }

        tag = (uint)value;
        return (value & 7) <= 5 || Fail(WireError.BadWireType, start);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Varint(int end, out ulong value)
    {
        int position = Position;
        if (position < end && Bytes[position] is < 0x80 and var first)
        {
            value = first;
            Position = position + 1;
            return true;
        }

        return VarintSlow(end, out value);
    }

    private bool VarintSlow(int end, out ulong value)
    {
        WireReader reader = new(Bytes[Position..end]);
        if (reader.TryReadVarint(out value))
        {
            Position += reader.Position;
            return true;
        }

        return Fail(reader.Error, Position);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Length(int end, out int limit)
    {
        int start = Position;
        if (Varint(end, out ulong length) && length <= (ulong)(end - Position))
        {
            limit = Position + (int)length;
            return true;
        }

        limit = start;
        return Fail(Error == WireError.None ? WireError.Truncated : Error, start);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool SkipBytes(int end)
    {
        bool ok = Length(end, out int limit);
        Position = limit;
        return ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Fixed(int size, int end)
    {
        if (end - Position < size)
        {
            return Fail(WireError.Truncated, Position);
        }

        Position += size;
        return true;
    }

    /// <summary>Skips a field that is not in the schema; one whose number is, has the wrong wire type.</summary>
    public bool SkipUnknown(uint tag, int highestKnownField, int end)
    {
        if (tag >> 3 <= (uint)highestKnownField)
        {
            return Fail(WireError.BadWireType, Position - WireWriter.VarintSize(tag));
        }

        return Skip(tag, end);
    }

    public bool Skip(uint tag, int end)
    {
        WireReader reader = new(Bytes[Position..end]);
        if (reader.TrySkip(tag))
        {
            Position += reader.Position;
            return true;
        }

        return Fail(reader.Error, Position + reader.Position);
    }
}
