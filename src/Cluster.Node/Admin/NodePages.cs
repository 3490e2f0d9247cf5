using Cluster.Node.Telemetry;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>Health, metrics, and the node itself.</summary>
internal sealed class NodePages(AdminSources sources, TimeProvider time)
{
    private static readonly byte[] Document = ReadDocument();

    private readonly MetricsPage _metrics = new(sources.Node, sources.Shards, sources.Gateway, sources.Exporters, sources.Process, sources.Cluster);

    /// <summary>Alive: it could answer.</summary>
    public static AdminReply Health() => AdminReply.Json(new StatusJson("ok"), AdminJson.Default.StatusJson);

    /// <summary>The OpenAPI document.</summary>
    public static AdminReply OpenApi() => new(StatusCodes.Status200OK, "application/json", Document);

    /// <summary>Whether spans should be sent here.</summary>
    public AdminReply Ready()
    {
        NodeReadiness readiness = sources.Node.Readiness;
        return readiness.Phase == NodePhase.Ready
            ? AdminReply.Json(new StatusJson("ready"), AdminJson.Default.StatusJson)
            : AdminReply.Problem(
                StatusCodes.Status503ServiceUnavailable, "Not ready", $"The node is {Names.Of(readiness.Phase)}: {readiness.Reason}");
    }

    /// <summary>Metrics for Prometheus.</summary>
    public AdminReply Metrics(IQueryCollection query)
    {
        AdminReply? problem = AdminQuery.Choice(query, "suffixes", ["false", "true"], out string suffixes);
        return problem ?? AdminReply.Text(_metrics.Render(suffixes == "true"), PrometheusWriter.ContentType);
    }

    /// <summary>This node.</summary>
    public AdminReply Node()
    {
        NodeState node = sources.Node;
        NodeReadiness readiness = node.Readiness;
        ShardRegionStatistics statistics = sources.Shards.GetStatistics();
        ProcessSnapshot process = sources.Process();
        ShardRegionOptions sharding = node.Sharding;
        return AdminReply.Json(
            new NodeJson(
                node.Id,
                node.Version,
                Names.Of(readiness.Phase),
                readiness.Reason,
                node.StartedAt,
                Text.Seconds(time.GetUtcNow() - node.StartedAt),
                [.. node.Listening.Select(address => new ListeningJson(address.Name, address.Url))],
                new LimitsJson(
                    node.Limits.InFlightBytes, node.Limits.Connections, sharding.MemorySoftBytes, sharding.MemoryHardBytes, sharding.NumTraces,
                    sharding.MaximumTraceSizeBytes),
                new MemoryJson(
                    process.ResidentBytes, process.HeapBytes, statistics.SlabBytes, statistics.PendingBytes,
                    sources.Gateway().InFlightBytes),
                new GcJson(Text.Seconds(process.GcPause), process.GcCollections, process.AllocatedBytes),
                Text.Seconds(process.CpuTime),
                new NodeConfigurationJson(
                    node.ProcessorId,
                    sharding.ShardCount,
                    sharding.Workers,
                    Text.Seconds(sharding.DecisionWait),
                    Text.Seconds(sharding.DecisionWaitAfterRootReceived),
                    Text.Seconds(sharding.Settle),
                    sharding.SampledCacheSize,
                    sharding.NonSampledCacheSize,
                    [.. statistics.Policies.Select(policy => policy.Name)],
                    [.. sources.Exporters().Select(exporter => exporter.Id)])),
            AdminJson.Default.NodeJson);
    }

    private static byte[] ReadDocument()
    {
        using Stream stream = typeof(NodePages).Assembly.GetManifestResourceStream("openapi.json")
            ?? throw new InvalidOperationException("openapi.json is not in the assembly");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
