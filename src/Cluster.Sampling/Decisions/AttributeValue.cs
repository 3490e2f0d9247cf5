using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Sampling.Decisions;

/// <summary>Types of attribute values that policies tell apart.</summary>
internal enum AttributeKind : byte
{
    /// <summary>Nothing set.</summary>
    Empty = 0,
    Text = 1,
    Boolean = 2,
    Integer = 3,
    Real = 4,

    /// <summary>Lists, maps and bytes, which no policy looks into.</summary>
    Other = 5,
}

/// <summary>An attribute's value, in place.</summary>
internal ref struct AttributeValue
{
    private const uint StringTag = (OtlpFields.AnyValue.StringValue << 3) | (uint)WireType.LengthDelimited;
    private const uint BoolTag = (OtlpFields.AnyValue.BoolValue << 3) | (uint)WireType.Varint;
    private const uint IntTag = (OtlpFields.AnyValue.IntValue << 3) | (uint)WireType.Varint;
    private const uint DoubleTag = (OtlpFields.AnyValue.DoubleValue << 3) | (uint)WireType.Fixed64;
    private const uint ArrayTag = (OtlpFields.AnyValue.ArrayValue << 3) | (uint)WireType.LengthDelimited;
    private const uint MapTag = (OtlpFields.AnyValue.KeyValueListValue << 3) | (uint)WireType.LengthDelimited;
    private const uint BytesTag = (OtlpFields.AnyValue.BytesValue << 3) | (uint)WireType.LengthDelimited;

    private ulong _bits;

    /// <summary>Which type it has.</summary>
    public AttributeKind Kind { get; private set; }

    /// <summary>The bytes of a string; empty for every other type, as the Collector reads it.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>The value of a boolean.</summary>
    public readonly bool Boolean => _bits != 0;

    /// <summary>The value of an integer.</summary>
    public readonly long Integer => (long)_bits;

    /// <summary>The value of a double.</summary>
    public readonly double Real => BitConverter.UInt64BitsToDouble(_bits);

    /// <summary>
    /// Reads an <c>AnyValue</c> into this one: of a oneof the last member on the wire counts, also over several messages. Stops at bytes
    /// that are no protobuf.
    /// </summary>
    public void Merge(ReadOnlySpan<byte> message)
    {
        // By far most values are one string with a one-byte length.
        if (message.Length >= 2 && message[0] == StringTag && message[1] == message.Length - 2 && message[1] < 0x80)
        {
            Set(AttributeKind.Text, 0, message[2..]);
            return;
        }

        WireReader reader = new(message);
        while (reader.TryReadTag(out uint tag))
        {
            bool read;
            ReadOnlySpan<byte> bytes;
            ulong bits;
            switch (tag)
            {
                case StringTag:
                    if (read = reader.TryReadBytes(out bytes))
                    {
                        Set(AttributeKind.Text, 0, bytes);
                    }

                    break;
                case BoolTag:
                    if (read = reader.TryReadVarint(out bits))
                    {
                        Set(AttributeKind.Boolean, bits, default);
                    }

                    break;
                case IntTag:
                    if (read = reader.TryReadVarint(out bits))
                    {
                        Set(AttributeKind.Integer, bits, default);
                    }

                    break;
                case DoubleTag:
                    if (read = reader.TryReadFixed64(out bits))
                    {
                        Set(AttributeKind.Real, bits, default);
                    }

                    break;
                case ArrayTag or MapTag or BytesTag:
                    if (read = reader.TrySkip(tag))
                    {
                        Set(AttributeKind.Other, 0, default);
                    }

                    break;
                default:
                    read = reader.TrySkip(tag);
                    break;
            }

            if (!read)
            {
                return;
            }
        }
    }

    private void Set(AttributeKind kind, ulong bits, ReadOnlySpan<byte> text)
    {
        Kind = kind;
        _bits = bits;
        Text = text;
    }
}
