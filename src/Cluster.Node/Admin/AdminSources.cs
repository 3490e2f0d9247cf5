using Cluster.Gateway.Receivers;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>What the admin endpoint answers from. All of it is snapshots, counters or questions to shards; nothing stops intake.</summary>
public sealed record AdminSources
{
    /// <summary>The node's own state.</summary>
    public required NodeState Node { get; init; }

    /// <summary>The shards.</summary>
    public required IShardInspection Shards { get; init; }

    /// <summary>The cluster; null for a node alone.</summary>
    public ClusterSources? Cluster { get; init; }

    /// <summary>The doors' counters.</summary>
    public required Func<GatewaySnapshot> Gateway { get; init; }

    /// <summary>Every exporter of the pipeline, in its order.</summary>
    public required Func<IReadOnlyList<ExporterStatus>> Exporters { get; init; }

    /// <summary>What the process costs.</summary>
    public required Func<ProcessSnapshot> Process { get; init; }
}
