using System.Diagnostics;
using System.Net.Http.Json;
using Cluster.LoadGenerator.Sink;

namespace Cluster.LoadGenerator.Measuring;

/// <summary>The system under test at one moment, the sum over all its nodes. What could not be observed is null.</summary>
/// <param name="CpuSeconds">Of the observed processes, so far.</param>
/// <param name="ResidentBytes">Of the observed processes.</param>
/// <param name="PendingBytes">Spans that wait for a decision, as the nodes themselves say.</param>
/// <param name="SlabBytes">Memory that the node keeps them in.</param>
/// <param name="GcPauseSeconds">Of the node's garbage collector, so far.</param>
/// <param name="Sink">What the sink got, and what it cost there.</param>
internal sealed record Observation(
    double? CpuSeconds, long? ResidentBytes, double? PendingBytes, double? SlabBytes, double? GcPauseSeconds, SinkStatistics? Sink);

/// <summary>Looks at the nodes under test (their processes and metrics pages) and at the sink behind them.</summary>
internal sealed class Observer(IReadOnlyList<int> pids, IReadOnlyList<Uri> metrics, Uri? sink) : IDisposable
{
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(5) };
    private readonly ObservedProcess[] _processes = [.. pids.Select(pid => new ObservedProcess(pid))];

    /// <summary>Looks now.</summary>
    public async Task<Observation> ObserveAsync()
    {
        double? cpu = Total(_processes, process => process.CpuSeconds());
        MetricsPage[] pages = await ScrapeAsync();
        return new Observation(
            cpu,
            (long?)Total(_processes, process => process.ResidentBytes()),
            Total(pages, page => page.Sum("actorsampling_pending_bytes")),
            Total(pages, page => page.Sum("actorsampling_slab_bytes")),
            Total(pages, page => page.Sum("actorsampling_gc_pause_seconds_total")),
            sink is null ? null : await _client.GetFromJsonAsync<SinkStatistics>(new Uri(sink, "/stats")));
    }

    /// <summary>Makes the sink forget what came before.</summary>
    public async Task ResetSinkAsync()
    {
        if (sink is not null)
        {
            using HttpResponseMessage response = await _client.PostAsync(new Uri(sink, "/reset"), null);
            response.EnsureSuccessStatusCode();
        }
    }

    /// <summary>
    /// Waits until everything must be decided and has left the node: the decision wait is over, and nothing has reached the sink for two
    /// seconds (or since the last look, without a decision wait).
    /// </summary>
    public async Task<Observation> DrainAsync(TimeSpan decisionWait)
    {
        TimeSpan enough = decisionWait > TimeSpan.Zero ? TimeSpan.FromSeconds(2) : TimeSpan.Zero;
        long start = Stopwatch.GetTimestamp();
        long changed = start;
        Observation last = await ObserveAsync();
        while (sink is not null)
        {
            await Task.Delay(250);
            Observation now = await ObserveAsync();
            if (now.Sink!.Totals.Spans != last.Sink!.Totals.Spans || now.PendingBytes > 0)
            {
                changed = Stopwatch.GetTimestamp();
            }

            last = now;
            TimeSpan quiet = Stopwatch.GetElapsedTime(changed);
            TimeSpan passed = Stopwatch.GetElapsedTime(start);
            if (passed > decisionWait + TimeSpan.FromSeconds(30) || (passed > decisionWait && quiet > enough))
            {
                break;
            }
        }

        return last;
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private static double? Total<T>(IReadOnlyCollection<T> parts, Func<T, double?> value) => parts.Count == 0 ? null : parts.Sum(value);

    private async Task<MetricsPage[]> ScrapeAsync()
    {
        List<MetricsPage> pages = [];
        foreach (Uri page in metrics)
        {
            try
            {
                pages.Add(MetricsPage.Parse(await _client.GetStringAsync(page)));
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // A node whose page is not there is measured from outside only.
            }
        }

        return [.. pages];
    }
}
