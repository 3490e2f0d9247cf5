using System.Globalization;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Measuring;

/// <summary>All figures of one run. Null: not observed.</summary>
internal sealed record RunReport
{
    /// <summary>Heads of the columns that <see cref="MarkdownRow"/> fills.</summary>
    public const string MarkdownHead =
        "| scenario | k spans/s | CPU us/span, whole run | CPU us/span, window | node CPU | ack p50 / p90 / p99 / max ms | lag ms "
        + "| refused / failed | RSS idle -> steady MiB | buffered MiB | (RSS - 150 MB) / buffered | GC pause "
        + "| must-keep missing / incomplete; other incomplete; duplicates | others kept |\n"
        + "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

    public required string Scenario { get; init; }

    public required string Target { get; init; }

    /// <summary>Spans a second offered; 0 for a closed loop.</summary>
    public required double OfferedRate { get; init; }

    public required bool Gzip { get; init; }

    public required double WindowSeconds { get; init; }

    /// <summary>Whole run, warm-up included.</summary>
    public required long AcceptedSpans { get; init; }

    /// <summary>In the measured window.</summary>
    public required long WindowAcceptedSpans { get; init; }

    public double SpansPerSecond => WindowAcceptedSpans / WindowSeconds;

    public required long RejectedSpans { get; init; }

    public required long Refused { get; init; }

    public required long Failed { get; init; }

    public required long LostConnections { get; init; }

    public required string? LastReason { get; init; }

    public required double AckP50 { get; init; }

    public required double AckP90 { get; init; }

    public required double AckP99 { get; init; }

    public required double AckMax { get; init; }

    /// <summary>From the due time instead of the start of sending; 0 in a closed loop.</summary>
    public required double SinceDueP99 { get; init; }

    /// <summary>Largest delay behind a due time, measured window, milliseconds.</summary>
    public required double MaxLag { get; init; }

    /// <summary>CPU microseconds of the node per accepted span, from the start of the load until all is decided and drained.</summary>
    public required double? CpuWholeRun { get; init; }

    /// <summary>CPU microseconds of the node per accepted span, within the measured window.</summary>
    public required double? CpuWindow { get; init; }

    /// <summary>Share of one core that the node used in the measured window.</summary>
    public required double? NodeUtilization { get; init; }

    /// <summary>CPU microseconds of the generator per accepted span, measured window.</summary>
    public required double? GeneratorCpu { get; init; }

    /// <summary>CPU microseconds of the sink per span that reached it, whole run.</summary>
    public required double? SinkCpu { get; init; }

    public required double? IdleResidentMiB { get; init; }

    /// <summary>Median of one sample a second, measured window.</summary>
    public required double? ResidentMiB { get; init; }

    /// <summary>Rate times decision wait times bytes a span.</summary>
    public required double ExpectedBufferedMiB { get; init; }

    /// <summary>What the node says it buffers, median over the measured window.</summary>
    public required double? BufferedMiB { get; init; }

    /// <summary>Memory that the node keeps spans in, median over the measured window.</summary>
    public required double? SlabMiB { get; init; }

    /// <summary>Resident memory beyond a fixed 150 MB, over the bytes buffered.</summary>
    public double? ResidentPerBuffered =>
        (BufferedMiB ?? ExpectedBufferedMiB) is > 0 and var buffered ? (ResidentMiB - (150e6 / (1 << 20))) / buffered : null;

    /// <summary>Share of the measured window that garbage collection stopped the node.</summary>
    public required double? GcPauseShare { get; init; }

    /// <summary>What was sent.</summary>
    public required TraceTruth Sent { get; init; }

    /// <summary>What arrived.</summary>
    public required Sink.LedgerTotals? Arrived { get; init; }

    /// <summary>Traces that had to be kept and of which nothing arrived. Exact when nothing failed.</summary>
    public long? MustKeepMissing => Sent.MustKeep - Arrived?.MustKeepTraces;

    /// <summary>Share of the other traces that arrived: what the probabilistic policy kept.</summary>
    public double? OthersKept => Arrived?.OtherTraces / (double)Math.Max(1, Sent.Traces - Sent.MustKeep);

    /// <summary>
    /// True when an open loop kept its rate for the whole window (within 1 %, never a second late) and nothing was refused, lost or
    /// incomplete.
    /// </summary>
    public bool Sustained =>
        OfferedRate > 0 && SpansPerSecond >= 0.99 * OfferedRate && MaxLag < 1000 && Refused + Failed + RejectedSpans + LostConnections == 0
        && MustKeepMissing == 0 && Arrived is { IncompleteTraces: 0 };

    /// <summary>The figures as one row of a table.</summary>
    public string MarkdownRow() => string.Create(
        CultureInfo.InvariantCulture,
        $"| {Scenario} | {SpansPerSecond / 1000:f1} | {Or(CpuWholeRun, "f3")} | {Or(CpuWindow, "f3")} | {Or(NodeUtilization, "p0")} "
        + $"| {AckP50:f2} / {AckP90:f2} / {AckP99:f2} / {AckMax:f1} | {(OfferedRate > 0 ? MaxLag.ToString("f1") : "-")} "
        + $"| {Refused} / {Failed} "
        + $"| {Or(IdleResidentMiB, "f0")} -> {Or(ResidentMiB, "f0")} | {Or(BufferedMiB, "f0")} (rate x wait: {ExpectedBufferedMiB:f0}) "
        + $"| {Or(ResidentPerBuffered, "f2")} | {Or(GcPauseShare, "p2")} "
        + $"| {MustKeepMissing?.ToString() ?? "-"} / {Arrived?.IncompleteMustKeepTraces.ToString() ?? "-"}; "
        + $"{(Arrived is null ? "-" : (Arrived.IncompleteTraces - Arrived.IncompleteMustKeepTraces).ToString())}; "
        + $"{Arrived?.DuplicateSpans.ToString() ?? "-"} | {Or(OthersKept, "p2")} |");

    private static string Or(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";
}
