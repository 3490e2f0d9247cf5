namespace Cluster.Node.Telemetry;

/// <summary>
/// Every metric of the node. <c>otelcol_processor_tail_sampling_*</c> are the Collector's own names and labels, so that dashboards keep
/// working; <c>actorsampling_*</c> are ours; <c>process_*</c> are what Prometheus client libraries show. <c>docs/metrics.md</c> repeats this
/// table and a test compares them.
/// </summary>
public static class Metrics
{
    private const string Tail = "otelcol_processor_tail_sampling_";

    internal static readonly MetricDefinition CountTracesSampled = new(
        Tail + "count_traces_sampled", MetricType.Counter, "{traces}", "Traces by each policy's vote.", "policy", "sampled", "decision");

    internal static readonly MetricDefinition GlobalCountTracesSampled = new(
        Tail + "global_count_traces_sampled", MetricType.Counter, "{traces}", "Traces by decision.", "sampled", "decision");

    internal static readonly MetricDefinition EarlyReleases = new(
        Tail + "early_releases_from_cache_decision", MetricType.Counter, "{spans}",
        "Late spans that followed a remembered decision.", "sampled");

    internal static readonly MetricDefinition NewTraceIdReceived = new(
        Tail + "new_trace_id_received", MetricType.Counter, "{traces}", "Traces seen for the first time.");

    internal static readonly MetricDefinition DecisionTimerLatency = new(
        Tail + "sampling_decision_timer_latency", MetricType.Histogram, "ms", "How long after its due time a trace was decided.");

    internal static readonly MetricDefinition PolicyEvaluationError = new(
        Tail + "sampling_policy_evaluation_error", MetricType.Counter, "{errors}", "Votes that could not be given because of an error.");

    internal static readonly MetricDefinition PolicyExecutionCount = new(
        Tail + "sampling_policy_execution_count", MetricType.Counter, "{executions}", "Traces that each policy was asked about.", "policy");

    internal static readonly MetricDefinition PolicyExecutionTimeSum = new(
        Tail + "sampling_policy_execution_time_sum", MetricType.Counter, "us", "Time spent in policies at decisions, all policies together.");

    internal static readonly MetricDefinition TraceDroppedTooEarly = new(
        Tail + "sampling_trace_dropped_too_early", MetricType.Counter, "{traces}",
        "Traces lost before their decision; always 0, because a full node decides early instead.");

    internal static readonly MetricDefinition TracesOnMemory = new(
        Tail + "sampling_traces_on_memory", MetricType.Gauge, "{traces}", "Traces not decided yet.");

    internal static readonly MetricDefinition TracesDroppedTooLarge = new(
        Tail + "traces_dropped_too_large", MetricType.Counter, "{traces}", "Traces not sampled because of maximum_trace_size_bytes.");

    internal static readonly MetricDefinition BuildInfo = new(
        "actorsampling_build_info", MetricType.Gauge, "", "Always 1; the version is in the label.", "version");

    internal static readonly MetricDefinition Ready = new(
        "actorsampling_ready", MetricType.Gauge, "", "1 while the node takes spans, 0 while it starts or drains.");

    internal static readonly MetricDefinition PendingTraces = new(
        "actorsampling_pending_traces", MetricType.Gauge, "{traces}", "Traces not decided yet.");

    internal static readonly MetricDefinition PendingSpans = new(
        "actorsampling_pending_spans", MetricType.Gauge, "{spans}", "Spans of traces not decided yet.");

    internal static readonly MetricDefinition PendingBytes = new(
        "actorsampling_pending_bytes", MetricType.Gauge, "By", "Bytes of traces not decided yet, as received.");

    internal static readonly MetricDefinition SlabBytes = new(
        "actorsampling_slab_bytes", MetricType.Gauge, "By", "Native memory that holds spans, its free parts included.");

    internal static readonly MetricDefinition RememberedDecisions = new(
        "actorsampling_remembered_decisions", MetricType.Gauge, "{traces}", "Entries in the decision caches.");

    internal static readonly MetricDefinition AcceptedSpans = new(
        "actorsampling_accepted_spans_total", MetricType.Counter, "{spans}", "Spans taken and acknowledged.", "door");

    internal static readonly MetricDefinition RepeatedSpans = new(
        "actorsampling_repeated_spans_total", MetricType.Counter, "{spans}", "Spans recognised as sent before and counted once.");

    internal static readonly MetricDefinition WorkerFailures = new(
        "actorsampling_worker_failures_total", MetricType.Counter, "{messages}", "Messages that a worker loop could not finish: a bug, please report.");

    internal static readonly MetricDefinition MatchesGivenUp = new(
        "actorsampling_matches_given_up_total", MetricType.Counter, "{values}",
        "Attribute values that took an expression too much work and counted as no match.");

    internal static readonly MetricDefinition RejectedSpans = new(
        "actorsampling_rejected_spans_total", MetricType.Counter, "{spans}", "Spans with an invalid trace or span ID.", "door");

    internal static readonly MetricDefinition RefusedRequests = new(
        "actorsampling_refused_requests_total", MetricType.Counter, "{requests}", "Requests refused; clients may send them again.",
        "door", "reason");

    internal static readonly MetricDefinition Requests = new(
        "actorsampling_requests_total", MetricType.Counter, "{requests}", "Requests answered.", "door", "outcome");

    internal static readonly MetricDefinition ReceivedBytes = new(
        "actorsampling_received_bytes_total", MetricType.Counter, "By", "Bytes of request bodies as they arrived.", "door");

    internal static readonly MetricDefinition InflatedBytes = new(
        "actorsampling_inflated_bytes_total", MetricType.Counter, "By", "The same after inflation.", "door");

    internal static readonly MetricDefinition InFlightBytes = new(
        "actorsampling_in_flight_bytes", MetricType.Gauge, "By", "Request bytes being worked on.");

    internal static readonly MetricDefinition Connections = new(
        "actorsampling_connections", MetricType.Gauge, "{connections}", "Open connections of the OTLP doors.");

    internal static readonly MetricDefinition RefusedConnections = new(
        "actorsampling_refused_connections_total", MetricType.Counter, "{connections}", "Connections closed at once: limits.connections.");

    internal static readonly MetricDefinition Completions = new(
        "actorsampling_completions_total", MetricType.Counter, "{traces}", "Decided traces by why they were decided when they were.", "reason");

    internal static readonly MetricDefinition PolicyDecidedTraces = new(
        "actorsampling_policy_decided_traces_total", MetricType.Counter, "{traces}", "Traces for which the policy's vote decided.", "policy");

    internal static readonly MetricDefinition PolicyDecidedSpans = new(
        "actorsampling_policy_decided_spans_total", MetricType.Counter, "{spans}", "Spans of those traces.", "policy");

    internal static readonly MetricDefinition KeptTraces = new(
        "actorsampling_kept_traces_total", MetricType.Counter, "{traces}", "Traces handed to the exporters.");

    internal static readonly MetricDefinition KeptSpans = new(
        "actorsampling_kept_spans_total", MetricType.Counter, "{spans}", "Spans handed to the exporters, late ones included.");

    internal static readonly MetricDefinition KeptBytes = new(
        "actorsampling_kept_bytes_total", MetricType.Counter, "By", "Bytes handed to the exporters, uncompressed.");

    internal static readonly MetricDefinition ExporterQueueBytes = new(
        "actorsampling_exporter_queue_bytes", MetricType.Gauge, "By", "Bytes waiting or under way.", "exporter");

    internal static readonly MetricDefinition ExporterQueueCapacityBytes = new(
        "actorsampling_exporter_queue_capacity_bytes", MetricType.Gauge, "By", "Bytes from which on intake is pushed back.", "exporter");

    internal static readonly MetricDefinition ExporterQueueRequests = new(
        "actorsampling_exporter_queue_requests", MetricType.Gauge, "{requests}", "Requests that no sender has taken yet.", "exporter");

    internal static readonly MetricDefinition ExporterQueueOldest = new(
        "actorsampling_exporter_queue_oldest_seconds", MetricType.Gauge, "s", "How long the oldest of them has been waiting.", "exporter");

    internal static readonly MetricDefinition ExporterInFlightRequests = new(
        "actorsampling_exporter_in_flight_requests", MetricType.Gauge, "{requests}",
        "Requests being sent or waiting for another attempt.", "exporter");

    internal static readonly MetricDefinition ExporterRetryingRequests = new(
        "actorsampling_exporter_retrying_requests", MetricType.Gauge, "{requests}", "Of these, waiting for another attempt.", "exporter");

    internal static readonly MetricDefinition ExporterFailing = new(
        "actorsampling_exporter_failing", MetricType.Gauge, "",
        "1 when no attempt has succeeded for 30 s or the back end refused for good, else 0.", "exporter");

    internal static readonly MetricDefinition ExporterSentTraces = new(
        "actorsampling_exporter_sent_traces_total", MetricType.Counter, "{traces}",
        "Traces, or late parts of traces, that the back end confirmed.", "exporter");

    internal static readonly MetricDefinition ExporterSentSpans = new(
        "actorsampling_exporter_sent_spans_total", MetricType.Counter, "{spans}", "Spans that the back end confirmed.", "exporter");

    internal static readonly MetricDefinition ExporterSentRequests = new(
        "actorsampling_exporter_sent_requests_total", MetricType.Counter, "{requests}", "Requests that the back end confirmed.", "exporter");

    internal static readonly MetricDefinition ExporterSentBytes = new(
        "actorsampling_exporter_sent_bytes_total", MetricType.Counter, "By", "Bytes of them as protobuf.", "exporter");

    internal static readonly MetricDefinition ExporterSentWireBytes = new(
        "actorsampling_exporter_sent_wire_bytes_total", MetricType.Counter, "By", "The same as sent: compressed, or as JSON.", "exporter");

    internal static readonly MetricDefinition ExporterFailedAttempts = new(
        "actorsampling_exporter_failed_attempts_total", MetricType.Counter, "{requests}", "Attempts that failed, repeated or not.",
        "exporter", "reason");

    internal static readonly MetricDefinition ExporterRetries = new(
        "actorsampling_exporter_retries_total", MetricType.Counter, "{requests}", "Attempts that repeated an earlier one.", "exporter");

    internal static readonly MetricDefinition ExporterLostTraces = new(
        "actorsampling_exporter_lost_traces_total", MetricType.Counter, "{traces}", "Kept traces that the back end did not get.",
        "exporter", "reason");

    internal static readonly MetricDefinition ExporterLostSpans = new(
        "actorsampling_exporter_lost_spans_total", MetricType.Counter, "{spans}", "Kept spans that the back end did not get.",
        "exporter", "reason");

    internal static readonly MetricDefinition GcPause = new(
        "actorsampling_gc_pause_seconds_total", MetricType.Counter, "s", "Time all threads stood still for garbage collection.");

    internal static readonly MetricDefinition GcCollections = new(
        "actorsampling_gc_collections_total", MetricType.Counter, "{collections}", "Garbage collections.", "generation");

    internal static readonly MetricDefinition GcAllocatedBytes = new(
        "actorsampling_gc_allocated_bytes_total", MetricType.Counter, "By", "Bytes allocated on the managed heap.");

    internal static readonly MetricDefinition GcHeapBytes = new(
        "actorsampling_gc_heap_bytes", MetricType.Gauge, "By", "Bytes of the managed heap in use.");

    internal static readonly MetricDefinition ProcessCpuSeconds = new(
        "process_cpu_seconds_total", MetricType.Counter, "s", "User and system CPU time.");

    internal static readonly MetricDefinition ProcessResidentMemory = new(
        "process_resident_memory_bytes", MetricType.Gauge, "By", "Resident memory.");

    internal static readonly MetricDefinition ProcessStartTime = new(
        "process_start_time_seconds", MetricType.Gauge, "s", "When the process started, since 1970.");

    /// <summary>All of them, in the order they are shown.</summary>
    public static IReadOnlyList<MetricDefinition> All { get; } =
    [
        CountTracesSampled, GlobalCountTracesSampled, EarlyReleases, NewTraceIdReceived, DecisionTimerLatency, PolicyEvaluationError,
        PolicyExecutionCount, PolicyExecutionTimeSum, TraceDroppedTooEarly, TracesOnMemory, TracesDroppedTooLarge,
        BuildInfo, Ready,
        PendingTraces, PendingSpans, PendingBytes, SlabBytes, RememberedDecisions,
        AcceptedSpans, RejectedSpans, RepeatedSpans, WorkerFailures, MatchesGivenUp, Requests, RefusedRequests, ReceivedBytes, InflatedBytes, InFlightBytes,
        Connections, RefusedConnections,
        Completions, PolicyDecidedTraces, PolicyDecidedSpans, KeptTraces, KeptSpans, KeptBytes,
        ExporterQueueBytes, ExporterQueueCapacityBytes, ExporterQueueRequests, ExporterQueueOldest, ExporterInFlightRequests,
        ExporterRetryingRequests, ExporterFailing, ExporterSentSpans, ExporterSentTraces, ExporterSentRequests, ExporterSentBytes,
        ExporterSentWireBytes, ExporterFailedAttempts, ExporterRetries, ExporterLostTraces, ExporterLostSpans,
        GcPause, GcCollections, GcAllocatedBytes, GcHeapBytes,
        .. ClusterMetrics.All,
        ProcessCpuSeconds, ProcessResidentMemory, ProcessStartTime,
    ];
}
