using Cluster.Gateway.Receivers;
using Cluster.Messages.Sharding;
using Cluster.Node.Exporters;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Telemetry;

/// <summary>The words that people see for enumerated values, in metrics and in the admin endpoint alike. Stable: dashboards depend on them.</summary>
public static class Names
{
    /// <summary><c>sampled</c>, <c>not_sampled</c>, <c>dropped</c>: the Collector's words.</summary>
    public static string Of(Decision decision) => decision switch
    {
        Decision.NotSampled => "not_sampled",
        Decision.Sampled => "sampled",
        Decision.Dropped => "dropped",
        _ => "unknown",
    };

    /// <summary><c>sampled</c>, <c>not_sampled</c>, <c>dropped</c>, <c>error</c>, <c>not_evaluated</c>.</summary>
    public static string Of(Vote vote) => vote switch
    {
        Vote.NotEvaluated => "not_evaluated",
        Vote.NotSampled => "not_sampled",
        Vote.Sampled => "sampled",
        Vote.Dropped => "dropped",
        Vote.Error => "error",
        _ => "unknown",
    };

    /// <summary><c>decision_wait</c>, <c>root_received</c> and so on.</summary>
    public static string Of(CompletionReason reason) => reason switch
    {
        CompletionReason.None => "none",
        CompletionReason.DecisionWait => "decision_wait",
        CompletionReason.RootReceived => "root_received",
        CompletionReason.TreeClosed => "tree_closed",
        CompletionReason.TraceCount => "trace_count",
        CompletionReason.Memory => "memory",
        CompletionReason.TooLarge => "too_large",
        CompletionReason.Shutdown => "shutdown",
        _ => "unknown",
    };

    /// <summary><c>in_flight_bytes</c>, <c>memory</c> and so on.</summary>
    public static string Of(Refusal refusal) => refusal switch
    {
        Refusal.None => "none",
        Refusal.InFlightBytes => "in_flight_bytes",
        Refusal.Memory => "memory",
        Refusal.ExportQueueFull => "export_queue_full",
        Refusal.ShuttingDown => "shutting_down",
        Refusal.NotOwner => "not_owner",
        Refusal.DeadlineExceeded => "deadline_exceeded",
        Refusal.LeaseEnded => "lease_ended",
        Refusal.NotEnoughInSync => "not_enough_in_sync",
        Refusal.PeerBusy => "peer_busy",
        Refusal.OwnerUnreachable => "owner_unreachable",
        _ => "unknown",
    };

    /// <summary><c>grpc</c>, <c>http</c>.</summary>
    public static string Of(DoorKind door) => door switch
    {
        DoorKind.Grpc => "grpc",
        DoorKind.Http => "http",
        _ => "unknown",
    };

    /// <summary><c>accepted</c>, <c>partly_accepted</c> and so on.</summary>
    public static string Of(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Accepted => "accepted",
        RequestOutcome.PartlyAccepted => "partly_accepted",
        RequestOutcome.Malformed => "malformed",
        RequestOutcome.Refused => "refused",
        RequestOutcome.TooLarge => "too_large",
        RequestOutcome.TimedOut => "timed_out",
        RequestOutcome.ClientGone => "client_gone",
        RequestOutcome.NotServed => "not_served",
        RequestOutcome.Failed => "failed",
        _ => "unknown",
    };

    /// <summary><c>starting</c>, <c>ready</c>, <c>draining</c>.</summary>
    public static string Of(NodePhase phase) => phase switch
    {
        NodePhase.Starting => "starting",
        NodePhase.Ready => "ready",
        NodePhase.Draining => "draining",
        _ => "unknown",
    };

    /// <summary><c>ok</c>, <c>retrying</c>, <c>failing</c>.</summary>
    public static string Of(ExporterState state) => state switch
    {
        ExporterState.Ok => "ok",
        ExporterState.Retrying => "retrying",
        ExporterState.Failing => "failing",
        _ => "unknown",
    };
}
