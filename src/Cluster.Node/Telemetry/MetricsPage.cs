using Cluster.Gateway.Receivers;
using Cluster.Messages.Sharding;
using Cluster.Node.Exporters;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Telemetry;

/// <summary>
/// Everything in <see cref="Metrics.All"/>, but for the cluster's on a node alone, read from counters at the moment it is asked for; nothing
/// waits. Thread-safe.
/// </summary>
public sealed class MetricsPage
{
    /// <summary>The upper bounds, in milliseconds, of <see cref="ShardRegionStatistics.DecisionLateness"/>: the Collector's.</summary>
    private static readonly double[] LatenessBounds =
        [1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 50000];

    private readonly NodeState _node;
    private readonly IShardInspection _shards;
    private readonly Func<GatewaySnapshot> _gateway;
    private readonly Func<IReadOnlyList<ExporterStatus>> _exporters;
    private readonly Func<ProcessSnapshot> _process;
    private readonly ClusterSources? _cluster;
    private readonly string _policyPrefix;

    /// <summary>Reads from these.</summary>
    public MetricsPage(
        NodeState node,
        IShardInspection shards,
        Func<GatewaySnapshot> gateway,
        Func<IReadOnlyList<ExporterStatus>> exporters,
        Func<ProcessSnapshot> process,
        ClusterSources? cluster = null)
    {
        _node = node;
        _shards = shards;
        _gateway = gateway;
        _exporters = exporters;
        _process = process;
        _cluster = cluster;

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
        WriteIntake(writer, statistics, _gateway());
        WriteOutcome(writer, statistics);
        WriteExporters(writer, _exporters());
        if (_cluster is not null)
        {
            ClusterMetrics.Write(writer, _cluster, _policyPrefix);
        }

        WriteProcess(writer, _process());
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
        Write(Metrics.AcceptedSpans, door => door.AcceptedSpans);
        Write(Metrics.RejectedSpans, door => door.RejectedSpans);
        writer.Single(Metrics.RepeatedSpans, statistics.RepeatedSpans);
        writer.Single(Metrics.WorkerFailures, statistics.WorkerFailures);
        writer.Single(Metrics.MatchesGivenUp, statistics.MatchesGivenUp);

        writer.Begin(Metrics.Requests);
        foreach (DoorSnapshot door in gateway.Doors)
        {
            foreach ((RequestOutcome outcome, long count) in door.Requests)
            {
                writer.Sample(count, Names.Of(door.Door), Names.Of(outcome));
            }
        }

        writer.Begin(Metrics.RefusedRequests);
        foreach (DoorSnapshot door in gateway.Doors)
        {
            foreach ((Refusal reason, long count) in door.Refused)
            {
                writer.Sample(count, Names.Of(door.Door), Names.Of(reason));
            }
        }

        Write(Metrics.ReceivedBytes, door => door.ReceivedBytes);
        Write(Metrics.InflatedBytes, door => door.InflatedBytes);
        writer.Single(Metrics.InFlightBytes, gateway.InFlightBytes);
        writer.Single(Metrics.Connections, gateway.Connections);
        writer.Single(Metrics.RefusedConnections, gateway.RefusedConnections);

        void Write(MetricDefinition metric, Func<DoorSnapshot, long> value)
        {
            writer.Begin(metric);
            foreach (DoorSnapshot door in gateway.Doors)
            {
                writer.Sample(value(door), Names.Of(door.Door));
            }
        }
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

    private static void WriteExporters(PrometheusWriter writer, IReadOnlyList<ExporterStatus> exporters)
    {
        Write(Metrics.ExporterQueueBytes, exporter => exporter.QueueBytes);
        Write(Metrics.ExporterQueueCapacityBytes, exporter => exporter.QueueCapacityBytes);
        Write(Metrics.ExporterQueueRequests, exporter => exporter.QueueRequests);
        Write(Metrics.ExporterQueueOldest, exporter => exporter.OldestQueued.TotalSeconds);
        Write(Metrics.ExporterInFlightRequests, exporter => exporter.InFlight);
        Write(Metrics.ExporterRetryingRequests, exporter => exporter.WaitingForRetry);
        Write(Metrics.ExporterFailing, exporter => exporter.State == ExporterState.Failing ? 1 : 0);
        Write(Metrics.ExporterSentSpans, exporter => exporter.SentSpans);
        Write(Metrics.ExporterSentTraces, exporter => exporter.SentTraces);
        Write(Metrics.ExporterSentRequests, exporter => exporter.SentRequests);
        Write(Metrics.ExporterSentBytes, exporter => exporter.SentBytes);
        Write(Metrics.ExporterSentWireBytes, exporter => exporter.SentWireBytes);
        writer.Begin(Metrics.ExporterFailedAttempts);
        foreach (ExporterStatus exporter in exporters)
        {
            foreach ((string reason, long count) in exporter.FailedAttempts.OrderBy(failed => failed.Key, StringComparer.Ordinal))
            {
                writer.Sample(count, exporter.Id, reason);
            }
        }

        Write(Metrics.ExporterRetries, exporter => exporter.Retries);
        WriteLost(Metrics.ExporterLostTraces, exporter => (exporter.RejectedTraces, exporter.GivenUpTraces, exporter.UnsentTraces));
        WriteLost(Metrics.ExporterLostSpans, exporter => (exporter.RejectedSpans, exporter.GivenUpSpans, exporter.UnsentSpans));

        void Write(MetricDefinition metric, Func<ExporterStatus, double> value)
        {
            writer.Begin(metric);
            foreach (ExporterStatus exporter in exporters)
            {
                writer.Sample(value(exporter), exporter.Id);
            }
        }

        void WriteLost(MetricDefinition metric, Func<ExporterStatus, (long Rejected, long GivenUp, long Unsent)> lost)
        {
            writer.Begin(metric);
            foreach (ExporterStatus exporter in exporters)
            {
                (long rejected, long givenUp, long unsent) = lost(exporter);
                writer.Sample(rejected, exporter.Id, "rejected");
                writer.Sample(givenUp, exporter.Id, "given_up");
                writer.Sample(unsent, exporter.Id, "unsent");
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
