using System.Buffers.Binary;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Sampling.Decisions;

/// <summary>
/// Reads resources and spans once, in place: the facts of a span, and the conditions that each meets. Never throws, whatever the bytes;
/// allocates nothing. For one thread.
/// </summary>
internal sealed class SpanScanner(Conditions conditionsAsked)
{
    private const uint Len = (uint)WireType.LengthDelimited;
    private const uint ResourceAttributes = (OtlpFields.Resource.Attributes << 3) | Len;
    private const uint SpanIdTag = (OtlpFields.Span.SpanId << 3) | Len;
    private const uint TraceStateTag = (OtlpFields.Span.TraceState << 3) | Len;
    private const uint ParentSpanIdTag = (OtlpFields.Span.ParentSpanId << 3) | Len;
    private const uint KindTag = (OtlpFields.Span.Kind << 3) | (uint)WireType.Varint;
    private const uint StartTag = (OtlpFields.Span.StartTimeUnixNano << 3) | (uint)WireType.Fixed64;
    private const uint EndTag = (OtlpFields.Span.EndTimeUnixNano << 3) | (uint)WireType.Fixed64;
    private const uint AttributesTag = (OtlpFields.Span.Attributes << 3) | Len;
    private const uint StatusTag = (OtlpFields.Span.Status << 3) | Len;
    private const uint FlagsTag = (OtlpFields.Span.Flags << 3) | (uint)WireType.Fixed32;
    private const uint StatusCodeTag = (OtlpFields.Status.Code << 3) | (uint)WireType.Varint;

    private readonly AttributeConditions _attributes = new(conditionsAsked);

    /// <summary>Attribute values that took too much work to judge.</summary>
    public long MatchesGivenUp => _attributes.GivenUp;

    /// <summary>Sets the bits of the conditions that the resource meets.</summary>
    public void ScanResource(ReadOnlySpan<byte> resource, Span<ulong> conditions)
    {
        if (!_attributes.Any)
        {
            return;
        }

        _attributes.Begin();
        WireReader reader = new(resource);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag != ResourceAttributes)
            {
                if (!reader.TrySkip(tag))
                {
                    return;
                }
            }
            else if (reader.TryReadBytes(out ReadOnlySpan<byte> attribute))
            {
                _attributes.Scan(attribute, conditions, onResource: true);
            }
            else
            {
                return;
            }
        }
    }

    /// <summary>Reads a span's facts and sets the bits of the conditions that it meets, in one pass over its bytes.</summary>
    public void ScanSpan(ReadOnlySpan<byte> span, Span<ulong> conditions, out SpanFacts facts)
    {
        facts = default;
        SpanState state = default;
        ulong lengths = _attributes.KeyLengths;
        _attributes.Begin();
        int at = 0;
        while (at + 1 < span.Length)
        {
            // Nearly all fields are length-delimited with a tag and a length of one byte; most of the rest are the two times.
            uint tag = span[at];
            int length = span[at + 1];
            if ((tag & 0x87) == Len && length < 0x80 && length <= span.Length - at - 2)
            {
                ReadOnlySpan<byte> bytes = span.Slice(at + 2, length);
                at += 2 + length;
                if (tag == AttributesTag)
                {
                    if (lengths != 0 && !AttributeConditions.IsUnasked(bytes, lengths))
                    {
                        _attributes.Scan(bytes, conditions, onResource: false);
                    }
                }
                else if (tag is SpanIdTag or ParentSpanIdTag or StatusTag or TraceStateTag)
                {
                    ScanBytes(tag, bytes, ref facts, ref state);
                }
            }
            else if (tag is StartTag or EndTag && span.Length - at > sizeof(ulong))
            {
                ulong time = BinaryPrimitives.ReadUInt64LittleEndian(span[(at + 1)..]);
                facts.StartUnixNano = tag == StartTag ? time : facts.StartUnixNano;
                facts.EndUnixNano = tag == EndTag ? time : facts.EndUnixNano;
                at += 1 + sizeof(ulong);
            }
            else if (!TryScanField(span, conditions, ref at, ref facts, ref state))
            {
                break;
            }
        }

        SetSpanBits(state, conditions);
    }

    /// <summary>Any field, of any length; false when it is not well-formed.</summary>
    private bool TryScanField(ReadOnlySpan<byte> span, Span<ulong> conditions, ref int at, ref SpanFacts facts, ref SpanState state)
    {
        WireReader reader = new(span[at..]);
        bool read = reader.TryReadTag(out uint tag);
        switch (tag)
        {
            case AttributesTag when _attributes.Any:
                read = reader.TryReadBytes(out ReadOnlySpan<byte> bytes);
                if (read)
                {
                    _attributes.Scan(bytes, conditions, onResource: false);
                }

                break;
            case SpanIdTag or ParentSpanIdTag or StatusTag or TraceStateTag:
                read = reader.TryReadBytes(out bytes);
                if (read)
                {
                    ScanBytes(tag, bytes, ref facts, ref state);
                }

                break;
            case StartTag:
                read = reader.TryReadFixed64(out facts.StartUnixNano);
                break;
            case EndTag:
                read = reader.TryReadFixed64(out facts.EndUnixNano);
                break;
            case KindTag:
                read = reader.TryReadVarint(out ulong kind);
                facts.Kind = (int)kind;
                break;
            case FlagsTag:
                read = reader.TryReadFixed32(out state.Flags);
                break;
            default:
                read = read && reader.TrySkip(tag);
                break;
        }

        at += reader.Position;
        return read;
    }

    private void ScanBytes(uint tag, ReadOnlySpan<byte> bytes, ref SpanFacts facts, ref SpanState state)
    {
        switch (tag)
        {
            case SpanIdTag:
                facts.SpanId = bytes.Length == sizeof(ulong) ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : 0;
                break;
            case ParentSpanIdTag:
                facts.ParentSpanId = bytes.Length == sizeof(ulong) ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : 0;
                break;
            case StatusTag:
                ReadStatus(bytes, ref state.Status);
                break;
            case TraceStateTag:
                state.TraceState = bytes;
                break;
            default:
                break;
        }
    }

    /// <summary>A status may come in several messages, which protobuf merges: the last code counts.</summary>
    private static void ReadStatus(ReadOnlySpan<byte> message, ref ulong code)
    {
        WireReader reader = new(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == StatusCodeTag ? !reader.TryReadVarint(out code) : !reader.TrySkip(tag))
            {
                return;
            }
        }
    }

    private void SetSpanBits(in SpanState state, Span<ulong> conditions)
    {
        uint status = (uint)state.Status;
        int[] statusBits = conditionsAsked.StatusBits;
        if (status < (uint)statusBits.Length && statusBits[status] >= 0)
        {
            conditions.Set(statusBits[status]);
        }

        if ((state.Flags & 1) != 0 && conditionsAsked.SampledFlagBit >= 0)
        {
            conditions.Set(conditionsAsked.SampledFlagBit);
        }

        if (!state.TraceState.IsEmpty && conditionsAsked.TraceStates.Count > 0)
        {
            TraceStateReader.Scan(state.TraceState, conditionsAsked.TraceStates, conditions);
        }
    }

    /// <summary>What a span's scan remembers until its end, since the last occurrence of a field counts.</summary>
    private ref struct SpanState
    {
        public ulong Status;
        public uint Flags;
        public ReadOnlySpan<byte> TraceState;
    }
}
