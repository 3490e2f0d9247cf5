namespace Cluster.Sharding.Region;

/// <summary>How shards hold and decide traces: <c>processors.tail_sampling</c>, <c>completion</c> and <c>limits</c>.</summary>
public sealed record ShardRegionOptions
{
    /// <summary>Shards, fixed for the life of a cluster.</summary>
    public int ShardCount { get; init; } = 128;

    /// <summary>Worker loops that carry the shards; one a core.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>From a trace's first span to its decision (<c>decision_wait</c>).</summary>
    public TimeSpan DecisionWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>From a trace's root span to its decision (<c>decision_wait_after_root_received</c>); zero is off.</summary>
    public TimeSpan DecisionWaitAfterRootReceived { get; init; }

    /// <summary>From the last span of a trace whose tree is closed to its decision (<c>completion.settle</c>); zero is off.</summary>
    public TimeSpan Settle { get; init; }

    /// <summary>Pending traces of the node (<c>num_traces</c>); beyond it the oldest is decided early.</summary>
    public long NumTraces { get; init; } = 50_000;

    /// <summary>A larger trace is not sampled (<c>maximum_trace_size_bytes</c>); zero is off.</summary>
    public long MaximumTraceSizeBytes { get; init; }

    /// <summary>Remembered sampled decisions of the node (<c>decision_cache.sampled_cache_size</c>).</summary>
    public long SampledCacheSize { get; init; } = 100_000;

    /// <summary>Remembered other decisions of the node (<c>decision_cache.non_sampled_cache_size</c>).</summary>
    public long NonSampledCacheSize { get; init; } = 400_000;

    /// <summary>
    /// Buffered bytes from which on intake is refused and traces are decided early (<c>limits.memory_soft</c>). The memory that finds and
    /// compares buffered spans counts; the decision caches, which their own sizes bound, do not.
    /// </summary>
    public long MemorySoftBytes { get; init; } = 1L << 30;

    /// <summary>Buffered bytes that are never exceeded (<c>limits.memory_hard</c>).</summary>
    public long MemoryHardBytes { get; init; } = (1L << 30) + (256L << 20);

    /// <summary>Pending traces are discarded at shutdown instead of decided (<c>drop_pending_traces_on_shutdown</c>).</summary>
    public bool DropPendingTracesOnShutdown { get; init; }

    /// <summary>Writes the deciding policy's name to the root span (else the first span) of kept traces (<c>record_policy</c>).</summary>
    public bool RecordPolicy { get; init; }

    /// <summary>
    /// How long a request waits for its frames to be safe before it is refused, owners and connections changing meanwhile. Less than the 10 s that
    /// SDKs wait by default: they are told to come again, where they would hear nothing.
    /// </summary>
    public TimeSpan DeliveryTimeout { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>
    /// Logs keep frames whole, so that they can be copied to other nodes and replayed there: in a cluster. A node alone keeps what it needs.
    /// </summary>
    public bool KeepWholeFrames { get; init; }

    /// <summary>Copies of a shard, the primary's included, without which nothing is acknowledged (<c>cluster.min_in_sync</c>).</summary>
    public int MinInSync { get; init; } = 1;

    /// <summary>After how long without progress a copy is reported (<c>cluster.replica_timeout</c>).</summary>
    public TimeSpan ReplicaTimeout { get; init; } = TimeSpan.FromSeconds(2);
}
