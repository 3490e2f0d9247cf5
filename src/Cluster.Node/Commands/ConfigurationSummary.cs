using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Configuration;
using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;
using Cluster.Sharding.Region;

namespace Cluster.Node.Commands;

/// <summary>A configuration in a few lines for people.</summary>
internal static class ConfigurationSummary
{
    /// <summary>Name and text of each line; the name is empty where a line goes on with the one before.</summary>
    public static IEnumerable<(string Name, string Text)> Lines(NodeConfiguration configuration)
    {
        foreach (var line in Doors(configuration.Receiver))
        {
            yield return line;
        }

        foreach (var line in Decisions(configuration.Sharding))
        {
            yield return line;
        }

        for (int i = 0; i < configuration.Policies.Policies.Count; i++)
        {
            yield return (
                i == 0 ? "policies" : "",
                $"{i + 1}. {configuration.Policies.Policies[i].Name} ({configuration.Policies.Policies[i].Type})");
        }

        for (int i = 0; i < configuration.Exporters.Count; i++)
        {
            yield return (i == 0 ? "exports" : "", $"{configuration.Exporters[i].Id}: {Describe(configuration.Exporters[i])}");
        }

        foreach (var line in configuration.Cluster is { } cluster ? Cluster(cluster) : [])
        {
            yield return line;
        }

        yield return ("admin", configuration.Admin.Endpoint is { } admin ? $"http://{admin}" : "off");
        (string soft, string hard) = (Size(configuration.Sharding.MemorySoftBytes), Size(configuration.Sharding.MemoryHardBytes));
        yield return ("memory", $"traces wait in up to {soft}, never more than {hard}");
    }

    private static IEnumerable<(string Name, string Text)> Doors(OtlpReceiverOptions receiver)
    {
        if (receiver.Grpc is { } grpc)
        {
            yield return ("receives", $"OTLP/gRPC on {grpc.Endpoint}{Tls(grpc.Tls)}");
        }

        if (receiver.Http is { } http)
        {
            yield return (receiver.Grpc is null ? "receives" : "", $"OTLP/HTTP on {http.Endpoint}{http.TracesPath}{Tls(http.Tls)}");
        }
    }

    private static IEnumerable<(string Name, string Text)> Decisions(ShardRegionOptions sharding)
    {
        string sooner = "";
        if (sharding.DecisionWaitAfterRootReceived > TimeSpan.Zero)
        {
            sooner += $", or {GoDuration.Format(sharding.DecisionWaitAfterRootReceived)} after its root";
        }

        if (sharding.Settle > TimeSpan.Zero)
        {
            sooner += $", or when it is complete and quiet for {GoDuration.Format(sharding.Settle)}";
        }

        yield return ("decides", $"{GoDuration.Format(sharding.DecisionWait)} after a trace's first span{sooner}");
        yield return ("", $"up to {sharding.NumTraces} traces wait");
        yield return ("", $"{sharding.SampledCacheSize} sampled and {sharding.NonSampledCacheSize} other decisions are remembered");
    }

    private static IEnumerable<(string Name, string Text)> Cluster(ClusterOptions cluster)
    {
        string does = (cluster.IsGateway, cluster.HoldsShards) switch
        {
            (true, false) => ", without shards",
            (false, true) => ", doors closed",
            _ => "",
        };
        string where = $"{cluster.AdvertisedAddress(0)}{(cluster.PeerTls is null ? "" : ", mutual TLS")}";
        yield return ("cluster", $"{cluster.Name}, as {cluster.NodeId}{does}; peers connect to {where}");
        yield return ("", $"etcd at {string.Join(", ", cluster.Etcd.Endpoints.Select(endpoint => endpoint.GetLeftPart(UriPartial.Authority)))}");
        string replicas = cluster.Replicas switch { 0 => "no replica", 1 => "1 replica", var number => $"{number} replicas" };
        string lease = GoDuration.Format(cluster.LeaseTimeToLive);
        yield return ("", $"{cluster.Shards} shards with {replicas}, {cluster.MinInSync} in sync at least; a silent node is dead after {lease}");
    }

    private static string Describe(ExporterOptions exporter) => exporter switch
    {
        OtlpGrpcExporterOptions grpc => $"OTLP/gRPC to {grpc.Endpoint.GetLeftPart(UriPartial.Authority)}{Sending(grpc)}",
        OtlpHttpExporterOptions http =>
            $"OTLP/HTTP {(http.Json ? "JSON" : "protobuf")} to {http.TracesEndpoint.GetLeftPart(UriPartial.Path)}{Sending(http)}",
        FileExporterOptions file =>
            $"OTLP/JSON lines in {file.Path}{(file.RotateBytes > 0 ? $", a new file every {Size(file.RotateBytes)}" : "")}",
        DebugExporterOptions debug => $"standard output, {(debug.Detailed ? "one line a span" : "one line a trace")}",
        _ => exporter.GetType().Name,
    };

    private static string Sending(SendingExporterOptions options)
    {
        string retry = !options.Retry.Enabled ? "not retried"
            : options.Retry.MaxElapsedTime == TimeSpan.Zero ? "retried until it is taken"
            : $"retried for {GoDuration.Format(options.Retry.MaxElapsedTime)}";
        return $"{(options.Gzip ? ", gzip" : "")}, queue of {Size(options.Queue.Bytes)}, {retry}";
    }

    private static string Tls(TlsServerOptions? tls) =>
        tls is null ? "" : tls.ClientCaFile is null ? ", TLS" : ", TLS with client certificates";

    private static string Size(long bytes) => bytes >= 1 << 20 ? $"{bytes >> 20} MiB" : $"{bytes} bytes";
}
