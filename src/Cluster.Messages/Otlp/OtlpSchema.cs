using System.Text.Json;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>How a field is encoded, in protobuf and in JSON.</summary>
internal enum OtlpFieldKind
{
    /// <summary>UTF-8 text; a JSON string.</summary>
    Text,

    /// <summary>Bytes; hexadecimal digits in JSON.</summary>
    Hex,

    /// <summary>Bytes; base64 in JSON.</summary>
    Base64,

    /// <summary>A varint; true or false in JSON.</summary>
    Bool,

    /// <summary>A signed varint; a string in JSON.</summary>
    Int64,

    /// <summary>A varint; a number in JSON.</summary>
    UInt32,

    /// <summary>A number in JSON.</summary>
    Fixed32,

    /// <summary>Unsigned; a string in JSON.</summary>
    Fixed64,

    /// <summary>Fixed64 of the IEEE bits; a number in JSON, or the name of what JSON has no number for.</summary>
    Double,

    /// <summary>A signed varint of 32 bits; a number in JSON.</summary>
    Enum,

    /// <summary>A nested message; an object in JSON.</summary>
    Message,
}

/// <summary>One field of a message.</summary>
internal sealed class OtlpField
{
    /// <param name="name">Its name in the .proto file, in snake case.</param>
    /// <param name="number">Its number.</param>
    /// <param name="kind">How it is encoded.</param>
    /// <param name="repeated">Whether it is a list.</param>
    /// <param name="message">The nested message, for that kind.</param>
    /// <param name="enumNames">Names of the values from 0 on, for an enum.</param>
    public OtlpField(
        string name, int number, OtlpFieldKind kind, bool repeated = false, OtlpMessage? message = null, string[]? enumNames = null)
    {
        Number = number;
        Kind = kind;
        Repeated = repeated;
        Message = message;
        EnumNames = enumNames ?? [];
        JsonName = CamelCase(name);
        EncodedName = JsonEncodedText.Encode(JsonName);
        Utf8Name = System.Text.Encoding.UTF8.GetBytes(JsonName);
        Utf8OriginalName = System.Text.Encoding.UTF8.GetBytes(name);
        Tag = ((uint)number << 3) | (uint)(kind switch
        {
            OtlpFieldKind.Text or OtlpFieldKind.Hex or OtlpFieldKind.Base64 or OtlpFieldKind.Message => WireType.LengthDelimited,
            OtlpFieldKind.Fixed32 => WireType.Fixed32,
            OtlpFieldKind.Fixed64 or OtlpFieldKind.Double => WireType.Fixed64,
            _ => WireType.Varint,
        });
    }

    public int Number { get; }

    public OtlpFieldKind Kind { get; }

    public bool Repeated { get; }

    public OtlpMessage? Message { get; }

    public string[] EnumNames { get; }

    /// <summary>The name in JSON, in lower camel case.</summary>
    public string JsonName { get; }

    public JsonEncodedText EncodedName { get; }

    public byte[] Utf8Name { get; }

    public byte[] Utf8OriginalName { get; }

    /// <summary>The tag that precedes the field on the wire.</summary>
    public uint Tag { get; }

    private static string CamelCase(string name)
    {
        string[] words = name.Split('_');
        return words[0] + string.Concat(words.Skip(1).Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
    }
}

/// <summary>One message: its fields, in the order in which JSON is written.</summary>
internal sealed class OtlpMessage(string name, bool isOneof = false)
{
    /// <summary>More fields than this no message has, and no field a higher number.</summary>
    public const int MaxFields = 16;

    private readonly sbyte[] _indexByNumber = new sbyte[MaxFields + 1];

    public string Name { get; } = name;

    /// <summary>All fields exclude each other, and a field that is set shows even when it holds its type's default.</summary>
    public bool IsOneof { get; } = isOneof;

    public OtlpField[] Fields { get; private set; } = [];

    /// <summary>Sets the fields, once: messages refer to each other in circles.</summary>
    public OtlpMessage With(params OtlpField[] fields)
    {
        Fields = fields;
        Array.Fill(_indexByNumber, (sbyte)-1);
        for (int i = 0; i < fields.Length; i++)
        {
            _indexByNumber[fields[i].Number] = (sbyte)i;
        }

        return this;
    }

    /// <summary>Index in <see cref="Fields"/> of the field with this tag, or -1: a field of another wire type is an unknown one.</summary>
    public int IndexOf(uint tag)
    {
        uint number = tag >> 3;
        int index = number <= MaxFields ? _indexByNumber[number] : -1;
        return index >= 0 && Fields[index].Tag == tag ? index : -1;
    }
}

/// <summary>The messages of an OTLP trace request as tables, for both directions between protobuf and JSON.</summary>
internal static class OtlpSchema
{
    /// <summary><c>AnyValue</c>.</summary>
    public static OtlpMessage AnyValue { get; } = new("AnyValue", isOneof: true);

    /// <summary><c>ExportTraceServiceRequest</c>.</summary>
    public static OtlpMessage Request { get; } = Build();

    private static OtlpMessage Build()
    {
        OtlpMessage keyValue = new OtlpMessage("KeyValue").With(
            Text("key", OtlpFields.KeyValue.Key),
            One("value", OtlpFields.KeyValue.Value, AnyValue));
        AnyValue.With(
            Text("string_value", OtlpFields.AnyValue.StringValue),
            new OtlpField("bool_value", OtlpFields.AnyValue.BoolValue, OtlpFieldKind.Bool),
            new OtlpField("int_value", OtlpFields.AnyValue.IntValue, OtlpFieldKind.Int64),
            new OtlpField("double_value", OtlpFields.AnyValue.DoubleValue, OtlpFieldKind.Double),
            One("array_value", OtlpFields.AnyValue.ArrayValue,
                new OtlpMessage("ArrayValue").With(Many("values", OtlpFields.AnyValue.Values, AnyValue))),
            One("kvlist_value", OtlpFields.AnyValue.KeyValueListValue,
                new OtlpMessage("KeyValueList").With(Many("values", OtlpFields.AnyValue.Values, keyValue))),
            new OtlpField("bytes_value", OtlpFields.AnyValue.BytesValue, OtlpFieldKind.Base64));
        OtlpMessage resourceSpans = new OtlpMessage("ResourceSpans").With(
            One("resource", OtlpFields.ResourceSpans.Resource, Resource(keyValue)),
            Many("scope_spans", OtlpFields.ResourceSpans.ScopeSpans, ScopeSpans(keyValue)),
            Text("schema_url", OtlpFields.ResourceSpans.SchemaUrl));
        return new OtlpMessage("ExportTraceServiceRequest").With(
            Many("resource_spans", OtlpFields.ExportTraceServiceRequest.ResourceSpans, resourceSpans));
    }

    private static OtlpMessage Resource(OtlpMessage keyValue) => new OtlpMessage("Resource").With(
        Many("attributes", OtlpFields.Resource.Attributes, keyValue),
        Count("dropped_attributes_count", OtlpFields.Resource.DroppedAttributesCount),
        Many("entity_refs", OtlpFields.Resource.EntityRefs, new OtlpMessage("EntityRef").With(
            Text("schema_url", OtlpFields.EntityRef.SchemaUrl),
            Text("type", OtlpFields.EntityRef.Type),
            new OtlpField("id_keys", OtlpFields.EntityRef.IdKeys, OtlpFieldKind.Text, repeated: true),
            new OtlpField("description_keys", OtlpFields.EntityRef.DescriptionKeys, OtlpFieldKind.Text, repeated: true))));

    private static OtlpMessage ScopeSpans(OtlpMessage keyValue) => new OtlpMessage("ScopeSpans").With(
        One("scope", OtlpFields.ScopeSpans.Scope, new OtlpMessage("InstrumentationScope").With(
            Text("name", OtlpFields.InstrumentationScope.Name),
            Text("version", OtlpFields.InstrumentationScope.Version),
            Many("attributes", OtlpFields.InstrumentationScope.Attributes, keyValue),
            Count("dropped_attributes_count", OtlpFields.InstrumentationScope.DroppedAttributesCount))),
        Many("spans", OtlpFields.ScopeSpans.Spans, Span(keyValue)),
        Text("schema_url", OtlpFields.ScopeSpans.SchemaUrl));

    private static OtlpMessage Span(OtlpMessage keyValue) => new OtlpMessage("Span").With(
        Id("trace_id", OtlpFields.Span.TraceId),
        Id("span_id", OtlpFields.Span.SpanId),
        Text("trace_state", OtlpFields.Span.TraceState),
        Id("parent_span_id", OtlpFields.Span.ParentSpanId),
        new OtlpField("flags", OtlpFields.Span.Flags, OtlpFieldKind.Fixed32),
        Text("name", OtlpFields.Span.Name),
        new OtlpField("kind", OtlpFields.Span.Kind, OtlpFieldKind.Enum, enumNames:
        [
            "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
            "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
        ]),
        Time("start_time_unix_nano", OtlpFields.Span.StartTimeUnixNano),
        Time("end_time_unix_nano", OtlpFields.Span.EndTimeUnixNano),
        Many("attributes", OtlpFields.Span.Attributes, keyValue),
        Count("dropped_attributes_count", OtlpFields.Span.DroppedAttributesCount),
        Many("events", OtlpFields.Span.Events, new OtlpMessage("Event").With(
            Time("time_unix_nano", OtlpFields.Event.TimeUnixNano),
            Text("name", OtlpFields.Event.Name),
            Many("attributes", OtlpFields.Event.Attributes, keyValue),
            Count("dropped_attributes_count", OtlpFields.Event.DroppedAttributesCount))),
        Count("dropped_events_count", OtlpFields.Span.DroppedEventsCount),
        Many("links", OtlpFields.Span.Links, new OtlpMessage("Link").With(
            Id("trace_id", OtlpFields.Link.TraceId),
            Id("span_id", OtlpFields.Link.SpanId),
            Text("trace_state", OtlpFields.Link.TraceState),
            Many("attributes", OtlpFields.Link.Attributes, keyValue),
            Count("dropped_attributes_count", OtlpFields.Link.DroppedAttributesCount),
            new OtlpField("flags", OtlpFields.Link.Flags, OtlpFieldKind.Fixed32))),
        Count("dropped_links_count", OtlpFields.Span.DroppedLinksCount),
        One("status", OtlpFields.Span.Status, new OtlpMessage("Status").With(
            Text("message", OtlpFields.Status.Message),
            new OtlpField("code", OtlpFields.Status.Code, OtlpFieldKind.Enum, enumNames:
                ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]))));

    private static OtlpField Text(string name, int number) => new(name, number, OtlpFieldKind.Text);

    private static OtlpField Id(string name, int number) => new(name, number, OtlpFieldKind.Hex);

    private static OtlpField Count(string name, int number) => new(name, number, OtlpFieldKind.UInt32);

    private static OtlpField Time(string name, int number) => new(name, number, OtlpFieldKind.Fixed64);

    private static OtlpField One(string name, int number, OtlpMessage message) =>
        new(name, number, OtlpFieldKind.Message, message: message);

    private static OtlpField Many(string name, int number, OtlpMessage message) =>
        new(name, number, OtlpFieldKind.Message, repeated: true, message: message);
}
