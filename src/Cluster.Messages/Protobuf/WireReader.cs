using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Cluster.Messages.Protobuf;

/// <summary>
/// Walks one protobuf message in place. Every <c>Try</c> method returns false at a problem and leaves it in
/// <see cref="Error"/> with <see cref="Position"/> at the byte where it was found; nothing throws on any input.
/// Not thread-safe; allocates nothing. Format: <see href="https://protobuf.dev/programming-guides/encoding/"/>.
/// </summary>
public ref struct WireReader
{
    /// <summary>Groups nested deeper than this are refused (<see cref="WireError.TooDeep"/>).</summary>
    public const int MaxGroupDepth = 32;

    private readonly ReadOnlySpan<byte> _buffer;
    private int _position;

    /// <summary>A reader at the start of <paramref name="buffer"/>.</summary>
    public WireReader(ReadOnlySpan<byte> buffer) => _buffer = buffer;

    /// <summary>Offset of the next unread byte; after an error, of the tag or, behind its tag, the value that is wrong.</summary>
    public readonly int Position => _position;

    /// <summary>What went wrong, or <see cref="WireError.None"/>.</summary>
    public WireError Error { get; private set; }

    /// <summary>True when all bytes were read and nothing was wrong.</summary>
    public readonly bool AtEnd => _position == _buffer.Length && Error == WireError.None;

    /// <summary>Reads the next tag. False at the end of the message (<see cref="AtEnd"/>) and at an error.</summary>
    /// <param name="tag">Field number times eight plus the wire type.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadTag(out uint tag)
    {
        int position = _position;
        if ((uint)position < (uint)_buffer.Length && _buffer[position] is < 0x80 and >= 8 and var first && (first & 7) <= 5)
        {
            tag = first;
            _position = position + 1;
            return true;
        }

        return TryReadTagSlow(out tag);
    }

    private bool TryReadTagSlow(out uint tag)
    {
        tag = 0;
        int start = _position;
        if (start >= _buffer.Length || Error != WireError.None || !TryReadVarint(out ulong value))
        {
            return false;
        }

        if (value > uint.MaxValue || value >> 3 == 0)
        {
            return Fail(WireError.BadFieldNumber, start);
        }

        if ((value & 7) > 5)
        {
            return Fail(WireError.BadWireType, start);
        }

        tag = (uint)value;
        return true;
    }

    /// <summary>Reads a varint of at most ten bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadVarint(out ulong value)
    {
        int position = _position;
        if ((uint)position < (uint)_buffer.Length && _buffer[position] is < 0x80 and var first)
        {
            value = first;
            _position = position + 1;
            return true;
        }

        return TryReadVarintSlow(out value);
    }

    private bool TryReadVarintSlow(out ulong value)
    {
        value = 0;
        int start = _position;
        for (int shift = 0, position = start; ; shift += 7, position++)
        {
            if (position >= _buffer.Length)
            {
                return Fail(WireError.Truncated, start);
            }

            byte b = _buffer[position];
            if (shift == 63 && b > 1)
            {
                return Fail(WireError.VarintTooLong, start);
            }

            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                _position = position + 1;
                return true;
            }
        }
    }

    /// <summary>Reads eight bytes, little-endian.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadFixed64(out ulong value)
    {
        if (_buffer.Length - _position < sizeof(ulong))
        {
            value = 0;
            return Fail(WireError.Truncated, _position);
        }

        value = BinaryPrimitives.ReadUInt64LittleEndian(_buffer[_position..]);
        _position += sizeof(ulong);
        return true;
    }

    /// <summary>Reads four bytes, little-endian.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadFixed32(out uint value)
    {
        if (_buffer.Length - _position < sizeof(uint))
        {
            value = 0;
            return Fail(WireError.Truncated, _position);
        }

        value = BinaryPrimitives.ReadUInt32LittleEndian(_buffer[_position..]);
        _position += sizeof(uint);
        return true;
    }

    /// <summary>Reads a length and passes over that many bytes: where they begin and how many they are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadLength(out int start, out int length)
    {
        int before = _position;
        if (TryReadVarint(out ulong value) && value <= (ulong)(_buffer.Length - _position))
        {
            start = _position;
            length = (int)value;
            _position += length;
            return true;
        }

        start = length = 0;
        return Fail(Error == WireError.None ? WireError.Truncated : Error, before);
    }

    /// <summary>Reads a length-delimited field: a view of the reader's own buffer, valid as long as that is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryReadBytes(out ReadOnlySpan<byte> value)
    {
        if (TryReadLength(out int start, out int length))
        {
            value = _buffer.Slice(start, length);
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Passes over the field whose tag was just read, a whole group included.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TrySkip(uint tag) => (WireType)(tag & 7) switch
    {
        WireType.LengthDelimited => TryReadLength(out _, out _),
        WireType.Varint => TryReadVarint(out _),
        WireType.Fixed64 => TryReadFixed64(out _),
        WireType.Fixed32 => TryReadFixed32(out _),
        WireType.StartGroup => TrySkipGroup(tag),
        _ => Fail(WireError.UnmatchedGroup, _position),
    };

    private bool TrySkipGroup(uint startTag)
    {
        Span<uint> open = stackalloc uint[MaxGroupDepth];
        int depth = 0;
        open[depth++] = startTag;
        while (depth > 0)
        {
            int before = _position;
            if (!TryReadTag(out uint tag))
            {
                return Error != WireError.None ? false : Fail(WireError.Truncated, before);
            }

            switch ((WireType)(tag & 7))
            {
                case WireType.StartGroup when depth == MaxGroupDepth:
                    return Fail(WireError.TooDeep, before);
                case WireType.StartGroup:
                    open[depth++] = tag;
                    break;
                case WireType.EndGroup when tag >> 3 != open[depth - 1] >> 3:
                    return Fail(WireError.UnmatchedGroup, before);
                case WireType.EndGroup:
                    depth--;
                    break;
                default:
                    if (!TrySkip(tag))
                    {
                        return false;
                    }

                    break;
            }
        }

        return true;
    }

    /// <summary>Marks the message as wrong at <paramref name="position"/>; always returns false, so that callers can return it.</summary>
    public bool Fail(WireError error, int position)
    {
        Error = error;
        _position = position;
        return false;
    }
}
