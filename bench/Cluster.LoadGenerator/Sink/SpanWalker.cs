using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.LoadGenerator.Sink;

/// <summary>Finds the spans of a request in its bytes and enters them into a ledger. Reads nothing of a span but its two IDs.</summary>
internal static class SpanWalker
{
    private const uint ResourceSpans = OtlpFields.ExportTraceServiceRequest.ResourceSpans << 3 | 2;
    private const uint ScopeSpans = OtlpFields.ResourceSpans.ScopeSpans << 3 | 2;
    private const uint Spans = OtlpFields.ScopeSpans.Spans << 3 | 2;
    private const uint TraceIdTag = OtlpFields.Span.TraceId << 3 | 2;
    private const uint SpanIdTag = OtlpFields.Span.SpanId << 3 | 2;

    /// <summary>Enters a request. False when it is not well-formed; what came before the fault is entered.</summary>
    public static bool Walk(ReadOnlySpan<byte> request, TraceLedger ledger)
    {
        lock (ledger.Gate)
        {
            ledger.AddRequest(request.Length);
            return WalkLevel(request, [ResourceSpans, ScopeSpans, Spans], ledger);
        }
    }

    private static bool WalkLevel(ReadOnlySpan<byte> message, ReadOnlySpan<uint> path, TraceLedger ledger)
    {
        if (path.IsEmpty)
        {
            return WalkSpan(message, ledger);
        }

        var reader = new WireReader(message);
        while (reader.TryReadTag(out uint tag))
        {
            bool isFine = tag == path[0]
                ? reader.TryReadBytes(out ReadOnlySpan<byte> inner) && WalkLevel(inner, path[1..], ledger)
                : reader.TrySkip(tag);
            if (!isFine)
            {
                return false;
            }
        }

        return reader.AtEnd;
    }

    private static bool WalkSpan(ReadOnlySpan<byte> span, TraceLedger ledger)
    {
        TraceId? traceId = null;
        ulong? spanId = null;
        var reader = new WireReader(span);
        while ((traceId is null || spanId is null) && reader.TryReadTag(out uint tag))
        {
            switch (tag)
            {
                case TraceIdTag when reader.TryReadBytes(out ReadOnlySpan<byte> id) && id.Length == TraceId.Size:
                    traceId = TraceId.Read(id);
                    break;
                case SpanIdTag when reader.TryReadBytes(out ReadOnlySpan<byte> id) && id.Length == SpanId.Size:
                    spanId = SpanId.Read(id).Value;
                    break;
                case TraceIdTag or SpanIdTag:
                    return false;
                default:
                    if (!reader.TrySkip(tag))
                    {
                        return false;
                    }

                    break;
            }
        }

        if (traceId is null || spanId is null)
        {
            return false;
        }

        ledger.AddSpan(traceId.Value, spanId.Value);
        return true;
    }
}
