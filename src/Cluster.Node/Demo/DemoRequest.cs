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
        using PooledBuffer request = new();
        int resourceSpans = request.BeginMessage(OtlpFields.ExportTraceServiceRequest.ResourceSpans);
        int resource = request.BeginMessage(OtlpFields.ResourceSpans.Resource);
        WriteAttribute(request, OtlpFields.Resource.Attributes, "service.name", service);
        request.EndMessage(resource);

        int scopeSpans = request.BeginMessage(OtlpFields.ResourceSpans.ScopeSpans);
        int scope = request.BeginMessage(OtlpFields.ScopeSpans.Scope);
        WriteText(request, OtlpFields.InstrumentationScope.Name, "demo");
        request.EndMessage(scope);
        foreach (DemoSpan span in spans)
        {
            int message = request.BeginMessage(OtlpFields.ScopeSpans.Spans);
            WriteSpan(request, span, traceStart);
            request.EndMessage(message);
        }

        request.EndMessage(scopeSpans);
        request.EndMessage(resourceSpans);
        return request.WrittenSpan.ToArray();
    }

    private static void WriteSpan(PooledBuffer request, DemoSpan span, ulong traceStart)
    {
        WriteBytes(request, OtlpFields.Span.TraceId, span.TraceId);
        WriteBytes(request, OtlpFields.Span.SpanId, span.SpanId);
        WriteBytes(request, OtlpFields.Span.ParentSpanId, span.ParentSpanId);
        WriteText(request, OtlpFields.Span.Name, span.Name);
        WriteVarint(request, OtlpFields.Span.Kind, (ulong)span.Kind);
        WriteFixed64(request, OtlpFields.Span.StartTimeUnixNano, At(span.Start));
        WriteFixed64(request, OtlpFields.Span.EndTimeUnixNano, At(span.End));
        foreach ((string key, object value) in span.Attributes)
        {
            WriteAttribute(request, OtlpFields.Span.Attributes, key, value);
        }

        if (span.Error is { } error)
        {
            int exception = request.BeginMessage(OtlpFields.Span.Events);
            WriteFixed64(request, OtlpFields.Event.TimeUnixNano, At(span.End));
            WriteText(request, OtlpFields.Event.Name, "exception");
            WriteAttribute(request, OtlpFields.Event.Attributes, "exception.message", error);
            request.EndMessage(exception);

            int status = request.BeginMessage(OtlpFields.Span.Status);
            WriteText(request, OtlpFields.Status.Message, error);
            WriteVarint(request, OtlpFields.Status.Code, StatusError);
            request.EndMessage(status);
        }

        ulong At(double milliseconds) => traceStart + (ulong)(milliseconds * 1e6);
    }

    private static void WriteAttribute(PooledBuffer request, int field, string key, object value)
    {
        int attribute = request.BeginMessage(field);
        WriteText(request, OtlpFields.KeyValue.Key, key);
        int any = request.BeginMessage(OtlpFields.KeyValue.Value);
        switch (value)
        {
            case long number:
                WriteVarint(request, OtlpFields.AnyValue.IntValue, (ulong)number);
                break;
            case bool flag:
                WriteVarint(request, OtlpFields.AnyValue.BoolValue, flag ? 1UL : 0);
                break;
            default:
                WriteText(request, OtlpFields.AnyValue.StringValue, value.ToString()!);
                break;
        }

        request.EndMessage(any);
        request.EndMessage(attribute);
    }

    private static void WriteBytes(PooledBuffer request, int field, ReadOnlySpan<byte> value)
    {
        int content = request.BeginMessage(field);
        request.Write(value);
        request.EndMessage(content);
    }

    private static void WriteText(PooledBuffer request, int field, string value) =>
        WriteBytes(request, field, Encoding.UTF8.GetBytes(value));

    private static void WriteVarint(PooledBuffer request, int field, ulong value) =>
        request.Advance(WireWriter.WriteVarintField(request.GetSpan(2 * WireWriter.MaxVarintSize), 0, field, value));

    private static void WriteFixed64(PooledBuffer request, int field, ulong value) =>
        request.Advance(WireWriter.WriteFixed64Field(request.GetSpan(WireWriter.MaxVarintSize + sizeof(ulong)), 0, field, value));
}
