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

    /// <summary>The doors.</summary>
    public required IGatewayInspection Gateway { get; init; }

    /// <summary>The exporters.</summary>
    public required IExporterInspection Exporters { get; init; }

    /// <summary>The process.</summary>
    public required IProcessInspection Process { get; init; }
}
