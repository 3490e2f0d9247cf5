using System.Buffers;
using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Node.Demo;

/// <summary>Encodes what one service of the demo exports. A few requests a second: written to be read, not to be fast.</summary>
internal static class DemoRequest
{
    private const int StatusError = 2;

    /// <summary>An <c>ExportTraceServiceRequest</c> of one service.</summary>
    /// <param name="service">Its name.</param>
    /// <param name="spans">Its spans.</param>
    /// <param name="traceStart">When the trace began, in nanoseconds since 1970.</param>
    public static byte[] Encode(string service, IEnumerable<DemoSpan> spans, ulong traceStart)
    {
        Message scopeSpans = new Message().Add(OtlpFields.ScopeSpans.Scope, new Message()
            .Add(OtlpFields.InstrumentationScope.Name, "demo"));
        foreach (DemoSpan span in spans)
        {
            scopeSpans.Add(OtlpFields.ScopeSpans.Spans, EncodeSpan(span, traceStart));
        }

        Message resource = new Message().Add(OtlpFields.Resource.Attributes, EncodeAttribute(new("service.name", service)));
        return new Message()
            .Add(OtlpFields.ExportTraceServiceRequest.ResourceSpans, new Message()
                .Add(OtlpFields.ResourceSpans.Resource, resource)
                .Add(OtlpFields.ResourceSpans.ScopeSpans, scopeSpans))
            .ToArray();
    }

    private static Message EncodeSpan(DemoSpan span, ulong traceStart)
    {
        Message message = new Message()
            .Add(OtlpFields.Span.TraceId, span.TraceId)
            .Add(OtlpFields.Span.SpanId, span.SpanId)
            .Add(OtlpFields.Span.ParentSpanId, span.ParentSpanId)
            .Add(OtlpFields.Span.Name, span.Name)
            .AddVarint(OtlpFields.Span.Kind, (ulong)span.Kind)
            .AddFixed64(OtlpFields.Span.StartTimeUnixNano, At(span.Start))
            .AddFixed64(OtlpFields.Span.EndTimeUnixNano, At(span.End));
        foreach (KeyValuePair<string, object> attribute in span.Attributes)
        {
            message.Add(OtlpFields.Span.Attributes, EncodeAttribute(attribute));
        }

        if (span.Error is { } error)
        {
            message
                .Add(OtlpFields.Span.Events, new Message()
                    .AddFixed64(OtlpFields.Event.TimeUnixNano, At(span.End))
                    .Add(OtlpFields.Event.Name, "exception")
                    .Add(OtlpFields.Event.Attributes, EncodeAttribute(new("exception.message", error))))
                .Add(OtlpFields.Span.Status, new Message()
                    .Add(OtlpFields.Status.Message, error)
                    .AddVarint(OtlpFields.Status.Code, StatusError));
        }

        return message;

        ulong At(double milliseconds) => traceStart + (ulong)(milliseconds * 1e6);
    }

    private static Message EncodeAttribute(KeyValuePair<string, object> attribute) => new Message()
        .Add(OtlpFields.KeyValue.Key, attribute.Key)
        .Add(OtlpFields.KeyValue.Value, attribute.Value switch
        {
            long number => new Message().AddVarint(OtlpFields.AnyValue.IntValue, (ulong)number),
            bool flag => new Message().AddVarint(OtlpFields.AnyValue.BoolValue, flag ? 1UL : 0),
            object text => new Message().Add(OtlpFields.AnyValue.StringValue, text.ToString()!),
        });

    /// <summary>A protobuf message being written.</summary>
    private sealed class Message
    {
        private readonly ArrayBufferWriter<byte> _content = new();

        public Message Add(int field, ReadOnlySpan<byte> value)
        {
            Span<byte> room = _content.GetSpan(2 * WireWriter.MaxVarintSize + value.Length);
            _content.Advance(WireWriter.WriteBytes(room, 0, field, value));
            return this;
        }

        public Message Add(int field, string value) => Add(field, Encoding.UTF8.GetBytes(value));

        public Message Add(int field, Message value) => Add(field, value._content.WrittenSpan);

        public Message AddVarint(int field, ulong value)
        {
            _content.Advance(WireWriter.WriteVarintField(_content.GetSpan(2 * WireWriter.MaxVarintSize), 0, field, value));
            return this;
        }

        public Message AddFixed64(int field, ulong value)
        {
            _content.Advance(WireWriter.WriteFixed64Field(_content.GetSpan(WireWriter.MaxVarintSize + sizeof(ulong)), 0, field, value));
            return this;
        }

        public byte[] ToArray() => _content.WrittenSpan.ToArray();
    }
}
