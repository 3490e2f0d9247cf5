using Cluster.Node.Configuration;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Region;

namespace Cluster.Node.Telemetry;

/// <summary>What a node of a cluster knows of it, for the admin endpoint and the metrics. Thread-safe.</summary>
public sealed record ClusterSources
{
    /// <summary>Members, allocation, and the way to ask other nodes.</summary>
    public required IClusterView View { get; init; }

    /// <summary>How it is configured.</summary>
    public required ClusterOptions Options { get; init; }

    /// <summary>Counters; cheap, and called at any time.</summary>
    public required Func<ClusterStatistics> Statistics { get; init; }
}

/// <summary>This node's part in its cluster, in numbers; counters are since start.</summary>
public sealed record ClusterStatistics
{
    /// <summary>How long this node may still take its lease for alive; zero when that is over.</summary>
    public TimeSpan LeaseRemaining { get; init; }

    /// <summary>It is over: nothing is acknowledged and no decision takes effect until the lease is renewed.</summary>
    public bool IsFenced { get; init; }

    /// <summary>Other nodes that there is a connection to now.</summary>
    public int ConnectedPeers { get; init; }

    /// <summary>What went between the shards here and other nodes.</summary>
    public FrameTraffic Traffic { get; init; } = new();

    /// <summary>Shards of which a copy here became the primary because the one before was lost.</summary>
    public long Promotions { get; init; }

    /// <summary>Shards that moved here or away by plan, as primaries.</summary>
    public long Moves { get; init; }

    /// <summary>Shards that this node took over empty, because every copy was lost.</summary>
    public long LostShards { get; init; }

    /// <summary>Shards of which this node as coordinator made a stale copy the primary, because every other was lost.</summary>
    public long StalePromotions { get; init; }

    /// <summary>Bytes sent to other nodes.</summary>
    public long LinkBytesOut { get; init; }

    /// <summary>Bytes received from other nodes.</summary>
    public long LinkBytesIn { get; init; }

    /// <summary>Connections to other nodes made anew after one was lost.</summary>
    public long LinkReconnects { get; init; }

    /// <summary>What this node has of the cluster's budgets.</summary>
    public IReadOnlyList<BudgetStatus> Budgets { get; init; } = [];
}
