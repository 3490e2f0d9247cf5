using Cluster.Gateway.Receivers.Otlp;

namespace Cluster.Node.Telemetry;

/// <summary>
/// What a person sees on start: what the node listens on, what to set in an SDK, and <c>ready</c>. The lines are stable: scripts and tests
/// wait for them.
/// </summary>
public static class StartupBanner
{
    /// <summary>Writes the addresses, then the environment variables.</summary>
    /// <param name="output">Standard output.</param>
    /// <param name="listening">In the order to show; doors that are switched off are left out.</param>
    public static void WriteAddresses(TextWriter output, IReadOnlyList<ListeningAddress> listening)
    {
        foreach (ListeningAddress address in listening)
        {
            output.Write($"{address.Name,-9}  {address.Url}\n");
        }

        ListeningAddress? http = Find(listening, OtlpReceiver.HttpName);
        ListeningAddress? grpc = Find(listening, OtlpReceiver.GrpcName);
        if (http is not null || grpc is not null)
        {
            output.Write("\nTo send traces here, set in the SDK's environment:\n");
            WriteVariables(output, http, "http/protobuf");
            WriteVariables(output, grpc, "grpc");
            output.Write('\n');
        }

        output.Flush();
    }

    /// <summary>Writes what this node is in its cluster.</summary>
    /// <param name="output">Standard output.</param>
    /// <param name="cluster">Name of the cluster.</param>
    /// <param name="node">Name of this node.</param>
    /// <param name="address">Where peers connect.</param>
    public static void WriteCluster(TextWriter output, string cluster, string node, string address)
    {
        output.Write($"cluster    {cluster}, as {node}; peers connect to {address}\n");
        output.Flush();
    }

    /// <summary>Writes <c>ready</c>: spans are taken from now on.</summary>
    public static void WriteReady(TextWriter output)
    {
        output.Write("ready\n");
        output.Flush();
    }

    private static void WriteVariables(TextWriter output, ListeningAddress? door, string protocol)
    {
        if (door is not null)
        {
            output.Write($"  OTEL_EXPORTER_OTLP_ENDPOINT={door.LocalUrl} OTEL_EXPORTER_OTLP_PROTOCOL={protocol}\n");
        }
    }

    private static ListeningAddress? Find(IReadOnlyList<ListeningAddress> listening, string name) =>
        listening.FirstOrDefault(address => address.Name == name);
}
