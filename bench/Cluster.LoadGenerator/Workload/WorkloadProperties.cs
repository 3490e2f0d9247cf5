using System.IO.Compression;

namespace Cluster.LoadGenerator.Workload;

/// <summary>What a workload turned out to be: measured, not assumed.</summary>
internal sealed record WorkloadProperties
{
    public required int Traces { get; init; }

    public required int Spans { get; init; }

    public required int Requests { get; init; }

    public required long Bytes { get; init; }

    public required int SmallestRequestSpans { get; init; }

    public required int LargestRequestSpans { get; init; }

    public required double TracesPerRequest { get; init; }

    public required double GzipRatio { get; init; }

    public required double ErrorShare { get; init; }

    public required double SlowShare { get; init; }

    public required double RouteShare { get; init; }

    public required double MustKeepShare { get; init; }

    /// <summary>Share of traces that the four policies keep: those that must be, and a tenth of the rest.</summary>
    public double ExpectedKeptShare => MustKeepShare + (0.1 * (1 - MustKeepShare));

    /// <summary>Measures.</summary>
    public static WorkloadProperties Of(TraceWorkload workload)
    {
        TraceShape[] traces = [.. workload.Cells.SelectMany(cell => cell.Traces)];
        RequestTemplate[] requests = [.. workload.Cells.SelectMany(cell => cell.Requests)];
        double Share(byte flags) => traces.Count(trace => (trace.Flags & flags) != 0) / (double)traces.Length;

        return new WorkloadProperties
        {
            Traces = traces.Length,
            Spans = requests.Sum(request => request.SpanCount),
            Requests = requests.Length,
            Bytes = requests.Sum(request => (long)request.Bytes.Length),
            SmallestRequestSpans = requests.Min(request => request.SpanCount),
            LargestRequestSpans = requests.Max(request => request.SpanCount),
            TracesPerRequest = requests.Average(request => request.Patches.Select(patch => patch.Trace).Distinct().Count()),
            GzipRatio = MeasureGzip(requests),
            ErrorShare = Share(WorkloadIds.ErrorFlag),
            SlowShare = Share(WorkloadIds.SlowFlag),
            RouteShare = Share(WorkloadIds.RouteFlag),
            MustKeepShare = Share(byte.MaxValue),
        };
    }

    /// <summary>The properties, one a line, beside those of the workload that the published Collector figures were measured with.</summary>
    public void Print(TextWriter output)
    {
        output.WriteLine("| property | here | reference |");
        output.WriteLine("|---|---|---|");
        output.WriteLine($"| traces; spans; requests | {Traces}; {Spans}; {Requests} | 5760; 80682; 288 |");
        output.WriteLine($"| total size | {Bytes / 1e6:f1} MB | 39.7 MB |");
        output.WriteLine($"| spans per trace | {Spans / (double)Traces:f2} | 14.01 |");
        output.WriteLine(
            $"| spans per request | {Spans / (double)Requests:f1} ({SmallestRequestSpans}..{LargestRequestSpans}) | 280.1 (210..358) |");
        output.WriteLine($"| traces per request | {TracesPerRequest:f1} | 99.7 |");
        output.WriteLine($"| bytes per request | {Bytes / (double)Requests:f0} | 137944 |");
        output.WriteLine($"| bytes per span | {Bytes / (double)Spans:f1} | 492.4 |");
        output.WriteLine($"| gzip, default level | {GzipRatio:f1} x | 7.1 x |");
        output.WriteLine($"| slow; error; route | {SlowShare:p2}; {ErrorShare:p2}; {RouteShare:p2} | 2.4 %; 1.15 %; 3.1 % |");
        output.WriteLine($"| must keep | {MustKeepShare:p2} | 6.60 % |");
        output.WriteLine($"| expected kept | {ExpectedKeptShare:p1} | 15.9 % |");
    }

    private static double MeasureGzip(RequestTemplate[] requests)
    {
        long plain = 0;
        long packed = 0;
        ulong cell = 0;
        foreach (RequestTemplate request in requests.Where((_, i) => i % 7 == 0))
        {
            byte[] patched = new byte[request.Bytes.Length];
            request.Write(patched, TraceWorkload.DefaultSeed, cell++ * Cell.TraceCount, 1_767_225_600_000_000_000);
            using var output = new MemoryStream();
            using (var gzip = new GZipStream(output, CompressionLevel.Optimal, leaveOpen: true))
            {
                gzip.Write(patched);
            }

            plain += patched.Length;
            packed += output.Length;
        }

        return plain / (double)packed;
    }
}
