using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Telemetry;

/// <summary>Everything in <see cref="Metrics.All"/>, read from counters at the moment it is asked for; nothing waits. Thread-safe.</summary>
public sealed class MetricsPage
{
    /// <summary>The upper bounds, in milliseconds, of <see cref="ShardRegionStatistics.DecisionLateness"/>: the Collector's.</summary>
    private static readonly double[] LatenessBounds =
        [1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 50000];

    private readonly NodeState _node;
    private readonly IShardInspection _shards;
    private readonly IGatewayInspection _gateway;
    private readonly IExporterInspection _exporters;
    private readonly IProcessInspection _process;
    private readonly string _policyPrefix;

    /// <summary>Reads from these.</summary>
    public MetricsPage(
        NodeState node, IShardInspection shards, IGatewayInspection gateway, IExporterInspection exporters, IProcessInspection process)
    {
        _node = node;
        _shards = shards;
        _gateway = gateway;
        _exporters = exporters;
        _process = process;

        // As the Collector: policies of `tail_sampling/name` are called `name.policy`.
        int slash = node.ProcessorId.IndexOf('/', StringComparison.Ordinal);
        _policyPrefix = slash < 0 ? "" : node.ProcessorId[(slash + 1)..] + ".";
    }

    /// <summary>The page, in Prometheus' text format 0.0.4.</summary>
    /// <param name="suffixes">The Collector's metrics with unit and type suffixes.</param>
    public string Render(bool suffixes = false)
    {
        PrometheusWriter writer = new(suffixes);
        ShardRegionStatistics statistics = _shards.GetStatistics();
        WriteDecisions(writer, statistics);
        WritePolicies(writer, statistics);
        WriteNode(writer, statistics);
        WriteIntake(writer, statistics, _gateway.GetGateway());
        WriteOutcome(writer, statistics);
        WriteExporters(writer, _exporters.GetExporters());
        WriteProcess(writer, _process.GetProcess());
        return writer.ToString();
    }

    private static void WriteDecisions(PrometheusWriter writer, ShardRegionStatistics statistics)
    {
        writer.Begin(Metrics.GlobalCountTracesSampled);
        foreach (Decision decision in new[] { Decision.Sampled, Decision.NotSampled, Decision.Dropped })
        {
            writer.Sample(At(statistics.Decisions, (int)decision), decision == Decision.Sampled ? "true" : "false", Names.Of(decision));
        }

        writer.Begin(Metrics.EarlyReleases);
        writer.Sample(statistics.LateSpansSampled, "true");
        writer.Sample(statistics.LateSpansNotSampled, "false");

        writer.Single(Metrics.NewTraceIdReceived, statistics.NewTraces);
        if (statistics.DecisionLateness.Length == LatenessBounds.Length + 1)
        {
            writer.Histogram(Metrics.DecisionTimerLatency, LatenessBounds, statistics.DecisionLateness, statistics.DecisionLatenessSum);
        }

        writer.Single(Metrics.PolicyExecutionTimeSum, Math.Floor(statistics.DecisionTime.TotalMicroseconds));
        writer.Single(Metrics.TraceDroppedTooEarly, 0);
        writer.Single(Metrics.TracesOnMemory, statistics.PendingTraces);
        writer.Single(Metrics.TracesDroppedTooLarge, At(statistics.Completions, (int)CompletionReason.TooLarge));
    }

    private void WritePolicies(PrometheusWriter writer, ShardRegionStatistics statistics)
    {
        writer.Begin(Metrics.CountTracesSampled);
        foreach (PolicyStatistics policy in statistics.Policies)
        {
            foreach (Vote vote in new[] { Vote.Sampled, Vote.NotSampled, Vote.Dropped })
            {
                string sampled = vote == Vote.Sampled ? "true" : "false";
                writer.Sample(PolicyShare.Count(policy, vote), _policyPrefix + policy.Name, sampled, Names.Of(vote));
            }
        }

        writer.Single(Metrics.PolicyEvaluationError, statistics.Policies.Sum(policy => PolicyShare.Count(policy, Vote.Error)));

        writer.Begin(Metrics.PolicyExecutionCount);
        foreach (PolicyStatistics policy in statistics.Policies)
        {
            writer.Sample(PolicyShare.Asked(policy), _policyPrefix + policy.Name);
        }

        writer.Begin(Metrics.PolicyDecidedTraces);
        foreach (PolicyStatistics policy in statistics.Policies)
        {
            writer.Sample(policy.Decided, _policyPrefix + policy.Name);
        }

        writer.Begin(Metrics.PolicyDecidedSpans);
        foreach (PolicyStatistics policy in statistics.Policies)
        {
            writer.Sample(policy.DecidedSpans, _policyPrefix + policy.Name);
        }
    }

    private void WriteNode(PrometheusWriter writer, ShardRegionStatistics statistics)
    {
        writer.Begin(Metrics.BuildInfo);
        writer.Sample(1, _node.Version);
        writer.Single(Metrics.Ready, _node.Readiness.Phase == NodePhase.Ready ? 1 : 0);
        writer.Single(Metrics.PendingTraces, statistics.PendingTraces);
        writer.Single(Metrics.PendingSpans, statistics.PendingSpans);
        writer.Single(Metrics.PendingBytes, statistics.PendingBytes);
        writer.Single(Metrics.SlabBytes, statistics.SlabBytes);
        writer.Single(Metrics.RememberedDecisions, statistics.RememberedDecisions);
    }

    private static void WriteIntake(PrometheusWriter writer, ShardRegionStatistics statistics, GatewaySnapshot gateway)
    {
        writer.Single(Metrics.AcceptedSpans, statistics.AcceptedSpans);
        writer.Single(Metrics.RepeatedSpans, statistics.RepeatedSpans);
        writer.Single(Metrics.RejectedSpans, gateway.RejectedSpans);

        writer.Begin(Metrics.RefusedRequests);
        foreach (RefusalCount refusal in gateway.Refusals)
        {
            writer.Sample(refusal.Requests, Names.Of(refusal.Reason));
        }

        writer.Begin(Metrics.RefusedSpans);
        foreach (RefusalCount refusal in gateway.Refusals)
        {
            writer.Sample(refusal.Spans, Names.Of(refusal.Reason));
        }

        writer.Begin(Metrics.Requests);
        foreach (RequestCount count in gateway.Requests)
        {
            writer.Sample(count.Requests, count.Door, count.Outcome);
        }

        writer.Single(Metrics.InFlightBytes, gateway.InFlightBytes);
        writer.Single(Metrics.Connections, gateway.Connections);
    }

    private static void WriteOutcome(PrometheusWriter writer, ShardRegionStatistics statistics)
    {
        writer.Begin(Metrics.Completions);
        foreach (CompletionReason reason in Enum.GetValues<CompletionReason>())
        {
            if (reason != CompletionReason.None)
            {
                writer.Sample(At(statistics.Completions, (int)reason), Names.Of(reason));
            }
        }

        writer.Single(Metrics.KeptTraces, statistics.KeptTraces);
        writer.Single(Metrics.KeptSpans, statistics.KeptSpans);
        writer.Single(Metrics.KeptBytes, statistics.KeptBytes);
    }

    private static void WriteExporters(PrometheusWriter writer, IReadOnlyList<ExporterSnapshot> exporters)
    {
        Write(Metrics.ExporterQueueBytes, exporter => exporter.QueueBytes);
        Write(Metrics.ExporterQueueCapacityBytes, exporter => exporter.QueueCapacityBytes);
        Write(Metrics.ExporterSentSpans, exporter => exporter.SentSpans);
        Write(Metrics.ExporterSentRequests, exporter => exporter.SentRequests);
        Write(Metrics.ExporterFailedSpans, exporter => exporter.FailedSpans);
        Write(Metrics.ExporterFailedAttempts, exporter => exporter.FailedAttempts);

        void Write(MetricDefinition metric, Func<ExporterSnapshot, long> value)
        {
            writer.Begin(metric);
            foreach (ExporterSnapshot exporter in exporters)
            {
                writer.Sample(value(exporter), exporter.Id);
            }
        }
    }

    private static void WriteProcess(PrometheusWriter writer, ProcessSnapshot process)
    {
        writer.Single(Metrics.GcPause, process.GcPause.TotalSeconds);
        writer.Begin(Metrics.GcCollections);
        for (int generation = 0; generation < process.GcCollections.Count; generation++)
        {
            writer.Sample(process.GcCollections[generation], generation.ToString());
        }

        writer.Single(Metrics.GcAllocatedBytes, process.AllocatedBytes);
        writer.Single(Metrics.GcHeapBytes, process.HeapBytes);
        writer.Single(Metrics.ProcessCpuSeconds, process.CpuTime.TotalSeconds);
        writer.Single(Metrics.ProcessResidentMemory, process.ResidentBytes);
        writer.Single(Metrics.ProcessStartTime, process.StartedAt.ToUnixTimeMilliseconds() / 1000.0);
    }

    private static long At(long[] counts, int index) => index < counts.Length ? counts[index] : 0;
}
