using System.Buffers.Binary;
using Cluster.Messages.Otlp;

namespace Cluster.LoadGenerator.Workload;

/// <summary>
/// 240 traces over 12 services, as 12 requests, one a service: what a cluster of instrumented processes sends in the time that the
/// batch processors of their SDKs wait. Immutable.
/// </summary>
internal sealed class Cell
{
    /// <summary>Traces in a cell.</summary>
    public const int TraceCount = 240;

    private Cell(RequestTemplate[] requests, TraceShape[] traces)
    {
        Requests = requests;
        Traces = traces;
    }

    /// <summary>The requests, by service.</summary>
    public RequestTemplate[] Requests { get; }

    /// <summary>The traces.</summary>
    public TraceShape[] Traces { get; }

    /// <summary>Spans in all its traces.</summary>
    public int SpanCount => Requests.Sum(request => request.SpanCount);

    /// <summary>Draws a cell.</summary>
    public static Cell Draw(SplitMix64 random)
    {
        var traces = new TraceShape[TraceCount];
        var scopes = new MessageWriter[TraceShape.ServiceCount];
        var patches = new List<SpanPatch>[TraceShape.ServiceCount];
        for (int service = 0; service < TraceShape.ServiceCount; service++)
        {
            var scope = new MessageWriter();
            SpanText.WriteScope(scope, service);
            scopes[service] = new MessageWriter();
            scopes[service].Message(OtlpFields.ScopeSpans.Scope, scope);
            patches[service] = [];
        }

        var span = new MessageWriter();
        for (int trace = 0; trace < TraceCount; trace++)
        {
            traces[trace] = TraceShape.Draw(random);
            for (int index = 0; index < traces[trace].Spans.Length; index++)
            {
                span.Clear();
                int service = traces[trace].Spans[index].Service;
                SpanPatch patch = WriteSpan(span, traces[trace], index, random);
                int offset = scopes[service].Message(OtlpFields.ScopeSpans.Spans, span);
                patch.IdOffset += offset;
                patch.TimeOffset += offset;
                patch.Trace = trace;
                patches[service].Add(patch);
            }
        }

        return new Cell([.. scopes.Select((scope, service) => Finish(scope, service, [.. patches[service]]))], traces);
    }

    private static SpanPatch WriteSpan(MessageWriter span, TraceShape trace, int index, SplitMix64 random)
    {
        SpanShape shape = trace.Spans[index];
        string method = SpanText.Method(random);
        string route = SpanText.Route(trace.MatchesRoute && index == 0, random);
        (string name, int kind) = SpanText.Head(shape.Role, route, method, random);

        Span<byte> id = stackalloc byte[8];
        id.Clear();
        int idOffset = span.Bytes(OtlpFields.Span.TraceId, new byte[16]);
        BinaryPrimitives.WriteUInt32BigEndian(id, WorkloadIds.SpanHead(index, trace.Spans.Length, trace.Flags));
        span.Bytes(OtlpFields.Span.SpanId, id);
        if (shape.Parent >= 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(id, WorkloadIds.SpanHead(shape.Parent, trace.Spans.Length, trace.Flags));
            span.Bytes(OtlpFields.Span.ParentSpanId, id);
        }

        span.String(OtlpFields.Span.Name, name);
        span.Varint(OtlpFields.Span.Kind, (ulong)kind);
        int timeOffset = span.Fixed64(OtlpFields.Span.StartTimeUnixNano, 0);
        span.Fixed64(OtlpFields.Span.EndTimeUnixNano, 0);
        SpanText.WriteAttributes(span, shape.Role, name, route, method, random);
        if (shape.IsError)
        {
            WriteError(span, random);
        }

        return new SpanPatch
        {
            IdOffset = idOffset,
            TimeOffset = timeOffset,
            HasParent = shape.Parent >= 0,
            StartNano = shape.StartNano,
            DurationNano = shape.DurationNano,
        };
    }

    private static void WriteError(MessageWriter span, SplitMix64 random)
    {
        var exception = new MessageWriter();
        SpanText.WriteException(exception, random);
        span.Message(OtlpFields.Span.Events, exception);

        var status = new MessageWriter();
        status.Varint(OtlpFields.Status.Code, 2);
        span.Message(OtlpFields.Span.Status, status);
    }

    /// <summary>Puts the request around the spans of a service. They end it, so offsets move by what comes before.</summary>
    private static RequestTemplate Finish(MessageWriter scopeSpans, int service, SpanPatch[] patches)
    {
        var resource = new MessageWriter();
        SpanText.WriteResource(resource, service);
        var resourceSpans = new MessageWriter();
        resourceSpans.Message(OtlpFields.ResourceSpans.Resource, resource);
        resourceSpans.Message(OtlpFields.ResourceSpans.ScopeSpans, scopeSpans);
        var request = new MessageWriter();
        request.Message(OtlpFields.ExportTraceServiceRequest.ResourceSpans, resourceSpans);

        int moved = request.Length - scopeSpans.Length;
        return new RequestTemplate([], patches).Relocate(request.Written.ToArray(), offset => offset + moved);
    }
}
