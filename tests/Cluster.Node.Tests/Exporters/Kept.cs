using System.Buffers;
using System.Buffers.Binary;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Node.Tests.Exporters;

/// <summary>Kept traces with known numbers, and which numbers came out at the other end.</summary>
internal static class Kept
{
    /// <summary>A request of these traces, two spans each, a resource each.</summary>
    public static KeptTraces Traces(params ulong[] numbers)
    {
        TraceBuilder builder = new();
        foreach (ulong number in numbers)
        {
            builder.Resource($"service-{number}").Span(number, 1, name: "root").Span(number, 2, parent: 1, name: "child");
        }

        return From(builder.ToBytes(), numbers.Length, 2 * numbers.Length);
    }

    /// <summary>A request of one trace with at least <paramref name="bytes"/>.</summary>
    public static KeptTraces Large(ulong number, int bytes)
    {
        TraceBuilder builder = new TraceBuilder().Resource("service").Span(number, 1).With("filler", new string('x', bytes));
        return From(builder.ToBytes(), 1, 1);
    }

    public static KeptTraces From(byte[] request, int traces, int spans)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(request.Length);
        request.CopyTo(rented, 0);
        return new KeptTraces(rented, request.Length, traces, spans);
    }

    /// <summary>The numbers of the traces in a request, each once, in order.</summary>
    public static ulong[] Numbers(ReadOnlySpan<byte> request) =>
    [
        .. ExportTraceServiceRequest.Parser.ParseFrom(request).ResourceSpans
            .SelectMany(resource => resource.ScopeSpans)
            .SelectMany(scope => scope.Spans)
            .Select(span => BinaryPrimitives.ReadUInt64BigEndian(span.TraceId.Span[8..]))
            .Distinct(),
    ];

    /// <summary>Whether the memory has gone back: every reference was released, none twice.</summary>
    public static bool IsReturned(KeptTraces traces)
    {
        try
        {
            _ = traces.Request;
            return false;
        }
        catch (ArgumentOutOfRangeException)
        {
            return true;
        }
    }
}
