using System.Diagnostics;
using Cluster.LoadGenerator.Sending;

namespace Cluster.LoadGenerator.Measuring;

/// <summary>A load run under observation.</summary>
internal sealed class MeasuredRun(LoadOptions options, Observer observer, string scenario, TimeSpan decisionWait)
{
    private const double MiB = 1 << 20;

    private readonly List<(LoadMark Mark, Observation Observation)> _marks = [];
    private readonly List<Observation> _samples = [];

    /// <summary>Called when everything is prepared, before the load begins.</summary>
    public Action? Prepared { get; init; }

    /// <summary>Prepares, sends, waits until the node has drained, and reports.</summary>
    public async Task<RunReport> RunAsync()
    {
        await observer.ResetSinkAsync();
        var run = new LoadRun(options);

        // What preparing left behind must not be collected while it would be in somebody's way.
        GC.Collect();
        Prepared?.Invoke();
        Task sampling = Task.CompletedTask;
        using var windowOver = new CancellationTokenSource();
        await Task.Factory.StartNew(
            () => run.Run(mark =>
            {
                _marks.Add((mark, observer.ObserveAsync().GetAwaiter().GetResult()));
                if (_marks.Count == 2)
                {
                    sampling = Task.Run(() => SampleAsync(windowOver.Token));
                }
                else if (_marks.Count == 3)
                {
                    windowOver.Cancel();
                }
            }),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        await sampling;
        Observation drained = await observer.DrainAsync(decisionWait);
        return Report(run, drained);
    }

    private async Task SampleAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            _samples.Add(await observer.ObserveAsync());
            await Task.Delay(1000, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private RunReport Report(LoadRun run, Observation drained)
    {
        SenderCounters[] counters = [.. run.Counters];
        var acknowledgement = new LatencyHistogram();
        var sinceDue = new LatencyHistogram();
        foreach (SenderCounters counter in counters)
        {
            acknowledgement.Add(counter.Acknowledgement);
            sinceDue.Add(counter.SinceDue);
        }

        (LoadMark Mark, Observation Observation) start = _marks[0], from = _marks[1], to = _marks[2];
        double seconds = Stopwatch.GetElapsedTime(from.Mark.Timestamp, to.Mark.Timestamp).TotalSeconds;
        long accepted = counters.Sum(counter => counter.AcceptedSpans);
        long windowAccepted = to.Mark.AcceptedSpans - from.Mark.AcceptedSpans;
        double? windowCpu = to.Observation.CpuSeconds - from.Observation.CpuSeconds;
        return new RunReport
        {
            Scenario = scenario,
            Target = string.Join(", ", options.Targets),
            OfferedRate = options.Rate,
            Gzip = options.Gzip,
            WindowSeconds = seconds,
            AcceptedSpans = accepted,
            WindowAcceptedSpans = windowAccepted,
            RejectedSpans = counters.Sum(counter => counter.RejectedSpans),
            Refused = counters.Sum(counter => counter.Refused),
            Failed = counters.Sum(counter => counter.Failed),
            LostConnections = counters.Sum(counter => counter.LostConnections),
            LastReason = counters.Select(counter => counter.LastReason).FirstOrDefault(reason => reason is not null),
            AckP50 = acknowledgement.Milliseconds(0.5),
            AckP90 = acknowledgement.Milliseconds(0.9),
            AckP99 = acknowledgement.Milliseconds(0.99),
            AckMax = acknowledgement.MaxMicroseconds / 1000.0,
            SinceDueP99 = sinceDue.Milliseconds(0.99),
            MaxLag = Stopwatch.GetElapsedTime(0, counters.Max(counter => counter.MaxLag)).TotalMilliseconds,
            CpuWholeRun = Microseconds(drained.CpuSeconds - start.Observation.CpuSeconds, accepted),
            CpuWindow = Microseconds(windowCpu, windowAccepted),
            NodeUtilization = windowCpu / seconds,
            GeneratorCpu = Microseconds(to.Mark.OwnCpuSeconds - from.Mark.OwnCpuSeconds, windowAccepted),
            SinkCpu = Microseconds(drained.Sink?.CpuSeconds - start.Observation.Sink?.CpuSeconds, drained.Sink?.Totals.Spans ?? 0),
            IdleResidentMiB = start.Observation.ResidentBytes / MiB,
            ResidentMiB = Median(sample => sample.ResidentBytes) / MiB,
            ExpectedBufferedMiB = windowAccepted / seconds * decisionWait.TotalSeconds * run.BytesPerSpan / MiB,
            BufferedMiB = Median(sample => sample.PendingBytes) / MiB,
            SlabMiB = Median(sample => sample.SlabBytes) / MiB,
            GcPauseShare = (to.Observation.GcPauseSeconds - from.Observation.GcPauseSeconds) / seconds,
            Sent = run.Truth,
            Arrived = drained.Sink?.Totals,
        };
    }

    private static double? Microseconds(double? seconds, long spans) => spans > 0 ? seconds * 1e6 / spans : null;

    private double? Median(Func<Observation, double?> value)
    {
        double[] values = [.. _samples.Select(value).OfType<double>().Order()];
        return values.Length == 0 ? null : values[values.Length / 2];
    }
}
