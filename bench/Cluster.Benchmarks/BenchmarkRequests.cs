using Cluster.LoadGenerator.Workload;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;

namespace Cluster.Benchmarks;

/// <summary>What benchmarks work on: requests of the load generator's workload, about 280 spans and 138 kB each.</summary>
internal static class BenchmarkRequests
{
    /// <summary>The policies of the published figures.</summary>
    public const string Policies =
        """
        policies:
          - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
          - { name: slow, type: latency, latency: { threshold_ms: 500 } }
          - { name: checkout, type: string_attribute, string_attribute: { key: http.route, values: [/api/v1/checkout] } }
          - { name: a-tenth, type: probabilistic, probabilistic: { sampling_percentage: 10 } }
        """;

    /// <summary>The requests of two cells: different bodies, so that branch prediction does not learn one by heart.</summary>
    public static byte[][] All()
    {
        TraceWorkload workload = TraceWorkload.Draw(cells: 2);
        return [.. workload.Cells.SelectMany((cell, index) => cell.Requests.Select(request => Patch(request, index)))];
    }

    /// <summary>The spans of a request, as ranges of its bytes.</summary>
    public static Range[] Spans(byte[] request)
    {
        var ranges = new List<Range>();
        Descend(
            request,
            0..request.Length,
            [OtlpFields.ExportTraceServiceRequest.ResourceSpans, OtlpFields.ResourceSpans.ScopeSpans, OtlpFields.ScopeSpans.Spans],
            ranges);
        return [.. ranges];
    }

    /// <summary>Compiles policies.</summary>
    public static PolicySet Compile(string policies)
    {
        var errors = new ConfigurationErrors();
        return PolicyCompiler.Parse(policies, errors) ?? throw new InvalidOperationException(string.Join('\n', errors.All));
    }

    private static byte[] Patch(RequestTemplate request, int cell)
    {
        byte[] bytes = new byte[request.Bytes.Length];
        request.Write(bytes, TraceWorkload.DefaultSeed, (ulong)cell * Cell.TraceCount, 1_767_225_600_000_000_000);
        return bytes;
    }

    private static void Descend(byte[] request, Range message, ReadOnlySpan<int> path, List<Range> found)
    {
        if (path.IsEmpty)
        {
            found.Add(message);
            return;
        }

        var reader = new WireReader(request.AsSpan(message));
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == ((uint)path[0] << 3 | (uint)WireType.LengthDelimited) && reader.TryReadLength(out int start, out int length))
            {
                start += message.Start.Value;
                Descend(request, start..(start + length), path[1..], found);
            }
            else
            {
                reader.TrySkip(tag);
            }
        }
    }
}
