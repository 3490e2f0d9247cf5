using System.Text;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Fields = Cluster.Messages.Otlp.OtlpFields.Span;

namespace Cluster.Messages.Otlp;

/// <summary>
/// One encoded span with its resource and scope. Each property walks the bytes: read it once, and not on the hot path. Views are of the
/// memory the span was
/// read from and valid as long as that is. Of a field that occurs twice the last counts; text that is not UTF-8 gets U+FFFD.
/// </summary>
public readonly ref struct OtlpSpan
{
    /// <summary>A view of encoded messages.</summary>
    /// <param name="resource">A <c>Resource</c>; empty for none.</param>
    /// <param name="scope">An <c>InstrumentationScope</c>; empty for none.</param>
    /// <param name="span">A <c>Span</c>.</param>
    /// <exception cref="FormatException">The span is no protobuf message.</exception>
    public OtlpSpan(ReadOnlySpan<byte> resource, ReadOnlySpan<byte> scope, ReadOnlySpan<byte> span)
    {
        WireReader reader = new(span);
        while (reader.TryReadTag(out uint tag) && reader.TrySkip(tag))
        {
        }

        if (!reader.AtEnd)
        {
            throw new FormatException($"A span is malformed at its byte {reader.Position}: {reader.Error}.");
        }

        Resource = resource;
        Scope = scope;
        Bytes = span;
    }

    /// <summary>The encoded <c>Resource</c>; empty when there is none.</summary>
    public ReadOnlySpan<byte> Resource { get; }

    /// <summary>The encoded <c>InstrumentationScope</c>; empty when there is none.</summary>
    public ReadOnlySpan<byte> Scope { get; }

    /// <summary>The encoded <c>Span</c>.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>The trace; the invalid ID when the field has another length than 16.</summary>
    public TraceId TraceId =>
        WireLookup.Bytes(Bytes, Fields.TraceId) is { Length: TraceId.Size } id ? TraceId.Read(id) : default;

    /// <summary>The span; the invalid ID when the field has another length than 8.</summary>
    public SpanId SpanId => ReadSpanId(Fields.SpanId);

    /// <summary>The parent; the invalid ID at a root.</summary>
    public SpanId ParentSpanId => ReadSpanId(Fields.ParentSpanId);

    /// <summary>W3C tracestate.</summary>
    public string TraceState => Text(Bytes, Fields.TraceState);

    /// <summary>W3C trace flags in bits 0 to 7; 8 and 9 say whether the parent is remote.</summary>
    public uint Flags => WireLookup.Fixed32(Bytes, Fields.Flags);

    /// <summary>What the span did.</summary>
    public string Name => Text(Bytes, Fields.Name);

    /// <summary>0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer; other numbers as they came.</summary>
    public int Kind => (int)WireLookup.Varint(Bytes, Fields.Kind);

    /// <summary>Start, in nanoseconds since 1970.</summary>
    public ulong StartTimeUnixNano => WireLookup.Fixed64(Bytes, Fields.StartTimeUnixNano);

    /// <summary>End, in nanoseconds since 1970.</summary>
    public ulong EndTimeUnixNano => WireLookup.Fixed64(Bytes, Fields.EndTimeUnixNano);

    /// <summary>0 unset, 1 ok, 2 error; other numbers as they came.</summary>
    public int StatusCode => (int)WireLookup.Varint(WireLookup.Bytes(Bytes, Fields.Status), OtlpFields.Status.Code);

    /// <summary>What went wrong; mostly empty.</summary>
    public string StatusMessage => Text(WireLookup.Bytes(Bytes, Fields.Status), OtlpFields.Status.Message);

    /// <summary><c>service.name</c> of the resource; null when it has none.</summary>
    public string? ServiceName => FindText(Resource, OtlpFields.Resource.Attributes, "service.name"u8);

    /// <summary>A text attribute of the span; null when it has none of that key, or not as text.</summary>
    public string? FindAttribute(ReadOnlySpan<byte> key) => FindText(Bytes, Fields.Attributes, key);

    /// <summary>Finds the first attribute of a message with this key.</summary>
    /// <param name="message">An encoded message that has attributes.</param>
    /// <param name="attributesField">The number of its attributes field, as in <see cref="OtlpFields"/>.</param>
    /// <param name="key">The key in UTF-8.</param>
    /// <returns>Its value when that is text, also empty text; else null.</returns>
    public static string? FindText(ReadOnlySpan<byte> message, int attributesField, ReadOnlySpan<byte> key)
    {
        WireReader reader = new(message);
        while (WireLookup.TryReadUntil(ref reader, WireTag.LengthDelimited(attributesField))
            && reader.TryReadBytes(out ReadOnlySpan<byte> attribute))
        {
            if (WireLookup.Bytes(attribute, OtlpFields.KeyValue.Key).SequenceEqual(key))
            {
                return ReadText(WireLookup.Bytes(attribute, OtlpFields.KeyValue.Value));
            }
        }

        return null;
    }

    // A oneof: whichever known member comes last is the one that is set.
    private static string? ReadText(ReadOnlySpan<byte> anyValue)
    {
        string? text = null;
        WireReader reader = new(anyValue);
        while (reader.TryReadTag(out uint tag))
        {
            int start = reader.Position;
            if (!reader.TrySkip(tag))
            {
                return null;
            }

            if (tag == WireTag.LengthDelimited(OtlpFields.AnyValue.StringValue))
            {
                WireReader value = new(anyValue[start..]);
                text = value.TryReadBytes(out ReadOnlySpan<byte> utf8) ? Encoding.UTF8.GetString(utf8) : null;
            }
            else if (OtlpSchema.AnyValue.IndexOf(tag) >= 0)
            {
                text = null;
            }
        }

        return text;
    }

    private static string Text(ReadOnlySpan<byte> message, int field) => Encoding.UTF8.GetString(WireLookup.Bytes(message, field));

    private SpanId ReadSpanId(int field) => WireLookup.Bytes(Bytes, field) is { Length: SpanId.Size } id ? SpanId.Read(id) : default;
}
