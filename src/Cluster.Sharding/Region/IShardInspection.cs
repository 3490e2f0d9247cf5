using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Region;

/// <summary>Questions to the shards, answered through their mailboxes or from counters; they never stop intake. Thread-safe.</summary>
public interface IShardInspection
{
    /// <summary>Every shard of this node, by ID.</summary>
    Task<IReadOnlyList<ShardStatus>> GetShardsAsync(CancellationToken cancellationToken);

    /// <summary>Pending traces of this node.</summary>
    /// <param name="order">Which come first.</param>
    /// <param name="limit">At most this many, 1 to 1,000.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<IReadOnlyList<PendingTrace>> GetPendingTracesAsync(TraceOrder order, int limit, CancellationToken cancellationToken);

    /// <summary>The latest decisions of this node, newest first, at most <paramref name="limit"/> (1 to 1,000).</summary>
    /// <param name="decision">Only these; all when null.</param>
    /// <param name="limit">At most this many.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task<IReadOnlyList<DecidedTrace>> GetDecidedTracesAsync(Decision? decision, int limit, CancellationToken cancellationToken);

    /// <summary>Everything known of one trace; null when it is neither pending nor remembered.</summary>
    Task<TraceStatus?> GetTraceAsync(TraceId traceId, CancellationToken cancellationToken);

    /// <summary>Counters of all shards of this node, summed; cheap, no mailbox.</summary>
    ShardRegionStatistics GetStatistics();
}

/// <summary>How to sort pending traces.</summary>
public enum TraceOrder
{
    /// <summary>Largest first.</summary>
    Size = 0,

    /// <summary>Oldest first.</summary>
    Age = 1,
}

/// <summary>One shard, now.</summary>
/// <param name="Id">0 to shard count - 1.</param>
/// <param name="Traces">Pending traces.</param>
/// <param name="Spans">Spans of pending traces.</param>
/// <param name="Bytes">Bytes of pending traces, as received.</param>
/// <param name="Oldest">Age of the oldest pending trace; null when there is none.</param>
/// <param name="Sampled">Traces decided so since start.</param>
/// <param name="NotSampled">Traces decided so since start.</param>
/// <param name="Dropped">Traces decided so since start.</param>
/// <param name="Refused">Frames refused since start.</param>
/// <param name="Remembered">Entries in the decision cache.</param>
public sealed record ShardStatus(int Id, int Traces, long Spans, long Bytes, TimeSpan? Oldest, long Sampled, long NotSampled, long Dropped, long Refused, int Remembered)
{
    /// <summary>Traces decided since start.</summary>
    public long Decided => Sampled + NotSampled + Dropped;
}

/// <summary>One pending trace, in brief.</summary>
/// <param name="TraceId">Its ID.</param>
/// <param name="Shard">Where it is.</param>
/// <param name="Spans">Spans so far.</param>
/// <param name="Bytes">Bytes so far.</param>
/// <param name="Age">Since its first span arrived.</param>
/// <param name="DecisionIn">Until it is decided, if nothing else happens.</param>
/// <param name="RootReceived">Whether a span without parent arrived.</param>
public sealed record PendingTrace(TraceId TraceId, int Shard, int Spans, long Bytes, TimeSpan Age, TimeSpan DecisionIn, bool RootReceived);

/// <summary>One remembered decision, in brief.</summary>
/// <param name="TraceId">Its ID.</param>
/// <param name="Shard">Where it was decided.</param>
/// <param name="Decision">The outcome.</param>
/// <param name="Policy">Name of the deciding policy; null when none decided.</param>
/// <param name="Reason">Why it was decided when it was.</param>
/// <param name="Spans">Spans at the decision.</param>
/// <param name="Bytes">Bytes at the decision.</param>
/// <param name="DurationMilliseconds">Latest end minus earliest start.</param>
/// <param name="DecidedAt">When.</param>
public sealed record DecidedTrace(
    TraceId TraceId, int Shard, Decision Decision, string? Policy, CompletionReason Reason, int Spans, long Bytes, long DurationMilliseconds, DateTimeOffset DecidedAt);

/// <summary>One trace, in full: exactly one of <see cref="Pending"/> and <see cref="Decided"/> is set.</summary>
/// <param name="Pending">Set while undecided.</param>
/// <param name="Decided">Set once decided, while remembered.</param>
/// <param name="Votes">Every policy's vote: for a pending trace, what it would be now.</param>
/// <param name="Spans">The buffered spans of a pending trace, at most 1,000; empty once decided.</param>
public sealed record TraceStatus(PendingTrace? Pending, DecidedTrace? Decided, IReadOnlyList<PolicyVote> Votes, IReadOnlyList<SpanSummary> Spans);

/// <summary>One buffered span, for people.</summary>
/// <param name="SpanId">16 hex digits.</param>
/// <param name="ParentSpanId">16 hex digits; null for a root.</param>
/// <param name="Service">The resource's service.name; null when unset.</param>
/// <param name="Name">Span name.</param>
/// <param name="Kind">SpanKind, 0 to 5.</param>
/// <param name="StatusCode">0 unset, 1 ok, 2 error.</param>
/// <param name="StartUnixNano">Nanoseconds since 1970.</param>
/// <param name="EndUnixNano">Nanoseconds since 1970.</param>
public sealed record SpanSummary(
    string SpanId, string? ParentSpanId, string? Service, string Name, int Kind, int StatusCode, ulong StartUnixNano, ulong EndUnixNano);

/// <summary>Counters since start, summed over this node's shards; read without stopping anything, so they may differ by a moment.</summary>
public sealed class ShardRegionStatistics
{
    /// <summary>Traces seen for the first time.</summary>
    public long NewTraces { get; set; }

    /// <summary>Pending traces now.</summary>
    public long PendingTraces { get; set; }

    /// <summary>Spans of pending traces now.</summary>
    public long PendingSpans { get; set; }

    /// <summary>Bytes of pending traces now, as received.</summary>
    public long PendingBytes { get; set; }

    /// <summary>Bytes of native memory that hold spans now, free parts of slabs included.</summary>
    public long SlabBytes { get; set; }

    /// <summary>Spans taken.</summary>
    public long AcceptedSpans { get; set; }

    /// <summary>Spans recognised as repeated and counted once.</summary>
    public long RepeatedSpans { get; set; }

    /// <summary>Messages that a worker loop could not finish because of a bug; the loop went on.</summary>
    public long WorkerFailures { get; set; }

    /// <summary>Attribute values that took a policy's expression too much work, and so counted as no match.</summary>
    public long MatchesGivenUp { get; set; }

    /// <summary>Decisions, by <see cref="Decision"/>.</summary>
    public long[] Decisions { get; set; } = new long[3];

    /// <summary>Decisions, by <see cref="CompletionReason"/>.</summary>
    public long[] Completions { get; set; } = new long[8];

    /// <summary>Late spans of a sampled trace, sent on at once.</summary>
    public long LateSpansSampled { get; set; }

    /// <summary>Late spans of a not-sampled or dropped trace, discarded.</summary>
    public long LateSpansNotSampled { get; set; }

    /// <summary>Entries in the decision caches now.</summary>
    public long RememberedDecisions { get; set; }

    /// <summary>Traces kept, handed to the exporters' queues.</summary>
    public long KeptTraces { get; set; }

    /// <summary>Spans kept, late ones included.</summary>
    public long KeptSpans { get; set; }

    /// <summary>Bytes kept, as sent.</summary>
    public long KeptBytes { get; set; }

    /// <summary>Time spent in policies at decisions.</summary>
    public TimeSpan DecisionTime { get; set; }

    /// <summary>
    /// How long after its due time a trace was decided: counts for the buckets 1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000,
    /// 2000, 3000, 4000, 5000, 10000, 20000, 30000, 50000 ms and above.
    /// </summary>
    public long[] DecisionLateness { get; set; } = new long[24];

    /// <summary>Sum of the above, milliseconds.</summary>
    public double DecisionLatenessSum { get; set; }

    /// <summary>Per policy, in evaluation order.</summary>
    public IReadOnlyList<PolicyStatistics> Policies { get; set; } = [];
}

/// <summary>Counters of one policy since start.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Votes">Traces, by <see cref="Vote"/>.</param>
/// <param name="Decided">Traces for which it was the deciding policy.</param>
/// <param name="DecidedSpans">Spans of those.</param>
public sealed record PolicyStatistics(string Name, string Type, long[] Votes, long Decided, long DecidedSpans);
