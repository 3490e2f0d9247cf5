namespace Cluster.Messages.Otlp;

/// <summary>
/// Field numbers of OTLP traces, as in opentelemetry-proto 1.x
/// (<see href="https://github.com/open-telemetry/opentelemetry-proto"/>). A tag is <c>number &lt;&lt; 3 | wire type</c>.
/// </summary>
public static class OtlpFields
{
    /// <summary><c>ExportTraceServiceRequest</c>, which has the same shape as <c>TracesData</c>.</summary>
    public static class ExportTraceServiceRequest
    {
        /// <summary>repeated ResourceSpans.</summary>
        public const int ResourceSpans = 1;
    }

    /// <summary><c>ExportTraceServiceResponse</c> and its <c>ExportTracePartialSuccess</c>.</summary>
    public static class ExportTraceServiceResponse
    {
        /// <summary>ExportTracePartialSuccess.</summary>
        public const int PartialSuccess = 1;

        /// <summary>int64, inside the partial success.</summary>
        public const int RejectedSpans = 1;

        /// <summary>string, inside the partial success.</summary>
        public const int ErrorMessage = 2;
    }

    /// <summary><c>ResourceSpans</c>.</summary>
    public static class ResourceSpans
    {
        /// <summary>Resource.</summary>
        public const int Resource = 1;

        /// <summary>repeated ScopeSpans.</summary>
        public const int ScopeSpans = 2;

        /// <summary>string.</summary>
        public const int SchemaUrl = 3;
    }

    /// <summary><c>Resource</c>.</summary>
    public static class Resource
    {
        /// <summary>repeated KeyValue.</summary>
        public const int Attributes = 1;

        /// <summary>uint32.</summary>
        public const int DroppedAttributesCount = 2;

        /// <summary>repeated EntityRef (development).</summary>
        public const int EntityRefs = 3;
    }

    /// <summary><c>EntityRef</c> (development).</summary>
    public static class EntityRef
    {
        /// <summary>string.</summary>
        public const int SchemaUrl = 1;

        /// <summary>string.</summary>
        public const int Type = 2;

        /// <summary>repeated string.</summary>
        public const int IdKeys = 3;

        /// <summary>repeated string.</summary>
        public const int DescriptionKeys = 4;
    }

    /// <summary><c>ScopeSpans</c>.</summary>
    public static class ScopeSpans
    {
        /// <summary>InstrumentationScope.</summary>
        public const int Scope = 1;

        /// <summary>repeated Span.</summary>
        public const int Spans = 2;

        /// <summary>string.</summary>
        public const int SchemaUrl = 3;
    }

    /// <summary><c>InstrumentationScope</c>.</summary>
    public static class InstrumentationScope
    {
        /// <summary>string.</summary>
        public const int Name = 1;

        /// <summary>string.</summary>
        public const int Version = 2;

        /// <summary>repeated KeyValue.</summary>
        public const int Attributes = 3;

        /// <summary>uint32.</summary>
        public const int DroppedAttributesCount = 4;
    }

    /// <summary><c>Span</c>.</summary>
    public static class Span
    {
        /// <summary>bytes, 16.</summary>
        public const int TraceId = 1;

        /// <summary>bytes, 8.</summary>
        public const int SpanId = 2;

        /// <summary>string.</summary>
        public const int TraceState = 3;

        /// <summary>bytes, 8 or empty.</summary>
        public const int ParentSpanId = 4;

        /// <summary>string.</summary>
        public const int Name = 5;

        /// <summary>SpanKind.</summary>
        public const int Kind = 6;

        /// <summary>fixed64, nanoseconds since 1970.</summary>
        public const int StartTimeUnixNano = 7;

        /// <summary>fixed64, nanoseconds since 1970.</summary>
        public const int EndTimeUnixNano = 8;

        /// <summary>repeated KeyValue.</summary>
        public const int Attributes = 9;

        /// <summary>uint32.</summary>
        public const int DroppedAttributesCount = 10;

        /// <summary>repeated Event.</summary>
        public const int Events = 11;

        /// <summary>uint32.</summary>
        public const int DroppedEventsCount = 12;

        /// <summary>repeated Link.</summary>
        public const int Links = 13;

        /// <summary>uint32.</summary>
        public const int DroppedLinksCount = 14;

        /// <summary>Status.</summary>
        public const int Status = 15;

        /// <summary>fixed32.</summary>
        public const int Flags = 16;
    }

    /// <summary><c>Span.Event</c>.</summary>
    public static class Event
    {
        /// <summary>fixed64.</summary>
        public const int TimeUnixNano = 1;

        /// <summary>string.</summary>
        public const int Name = 2;

        /// <summary>repeated KeyValue.</summary>
        public const int Attributes = 3;

        /// <summary>uint32.</summary>
        public const int DroppedAttributesCount = 4;
    }

    /// <summary><c>Span.Link</c>.</summary>
    public static class Link
    {
        /// <summary>bytes, 16.</summary>
        public const int TraceId = 1;

        /// <summary>bytes, 8.</summary>
        public const int SpanId = 2;

        /// <summary>string.</summary>
        public const int TraceState = 3;

        /// <summary>repeated KeyValue.</summary>
        public const int Attributes = 4;

        /// <summary>uint32.</summary>
        public const int DroppedAttributesCount = 5;

        /// <summary>fixed32.</summary>
        public const int Flags = 6;
    }

    /// <summary><c>Status</c>.</summary>
    public static class Status
    {
        /// <summary>string.</summary>
        public const int Message = 2;

        /// <summary>StatusCode: 0 unset, 1 ok, 2 error.</summary>
        public const int Code = 3;
    }

    /// <summary><c>KeyValue</c>.</summary>
    public static class KeyValue
    {
        /// <summary>string.</summary>
        public const int Key = 1;

        /// <summary>AnyValue.</summary>
        public const int Value = 2;
    }

    /// <summary><c>AnyValue</c>, a oneof.</summary>
    public static class AnyValue
    {
        /// <summary>string.</summary>
        public const int StringValue = 1;

        /// <summary>bool.</summary>
        public const int BoolValue = 2;

        /// <summary>int64.</summary>
        public const int IntValue = 3;

        /// <summary>double.</summary>
        public const int DoubleValue = 4;

        /// <summary>ArrayValue.</summary>
        public const int ArrayValue = 5;

        /// <summary>KeyValueList.</summary>
        public const int KeyValueListValue = 6;

        /// <summary>bytes.</summary>
        public const int BytesValue = 7;

        /// <summary>repeated, in ArrayValue (AnyValue) and in KeyValueList (KeyValue).</summary>
        public const int Values = 1;
    }
}
