using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Admin;
using Cluster.Node.Exporters;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Configuration;

/// <summary>A whole, valid configuration file.</summary>
public sealed record NodeConfiguration
{
    /// <summary><c>receivers.otlp</c>, as used by the pipeline.</summary>
    public required OtlpReceiverOptions Receiver { get; init; }

    /// <summary><c>limits</c>, the gateway's part.</summary>
    public required GatewayLimits Limits { get; init; }

    /// <summary><c>processors.tail_sampling</c> but for its policies.</summary>
    public required ShardRegionOptions Sharding { get; init; }

    /// <summary><c>processors.tail_sampling.policies</c>, compiled.</summary>
    public required PolicySet Policies { get; init; }

    /// <summary>Component ID of the processor: <c>tail_sampling</c> or <c>tail_sampling/name</c>.</summary>
    public required string ProcessorId { get; init; }

    /// <summary>The exporters that the pipeline names, in its order.</summary>
    public required IReadOnlyList<ExporterOptions> Exporters { get; init; }

    /// <summary><c>admin</c>.</summary>
    public required AdminOptions Admin { get; init; }

    /// <summary><c>cluster</c>; null for a node alone.</summary>
    public ClusterOptions? Cluster { get; init; }

    /// <summary><c>logging</c>.</summary>
    public required LoggingOptions Logging { get; init; }

    /// <summary>Feeds itself a small demonstration workload (<c>--demo</c>).</summary>
    public bool Demo { get; init; }
}

/// <summary>The <c>logging</c> block.</summary>
public sealed record LoggingOptions
{
    /// <summary><c>format: json</c> instead of <c>console</c>.</summary>
    public bool Json { get; init; }

    /// <summary><c>level</c>: debug, info, warn or error.</summary>
    public LogLevel Level { get; init; } = LogLevel.Information;
}
