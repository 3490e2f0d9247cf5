namespace Cluster.Node.Telemetry;

/// <summary>
/// What a person sees on start: what the node listens on, what to set in an SDK, and <c>ready</c>. The lines are stable: scripts and tests
/// wait for them.
/// </summary>
public static class StartupBanner
{
    /// <summary>Name of the gRPC door in <see cref="ListeningAddress.Name"/>.</summary>
    public const string Grpc = "OTLP/gRPC";

    /// <summary>Name of the HTTP door.</summary>
    public const string Http = "OTLP/HTTP";

    /// <summary>Name of the admin endpoint.</summary>
    public const string Admin = "admin";

    /// <summary>Writes the addresses, then the environment variables.</summary>
    /// <param name="output">Standard output.</param>
    /// <param name="listening">In the order to show; doors that are switched off are left out.</param>
    public static void WriteAddresses(TextWriter output, IReadOnlyList<ListeningAddress> listening)
    {
        foreach (ListeningAddress address in listening)
        {
            output.Write($"{address.Name,-9}  {address.Url}\n");
        }

        string? http = Find(listening, Http);
        string? grpc = Find(listening, Grpc);
        if (http is not null || grpc is not null)
        {
            output.Write("\nTo send traces here, set in the SDK's environment:\n");
            WriteVariables(output, http, "http/protobuf");
            WriteVariables(output, grpc, "grpc");
            output.Write('\n');
        }

        output.Flush();
    }

    /// <summary>Writes <c>ready</c>: spans are taken from now on.</summary>
    public static void WriteReady(TextWriter output)
    {
        output.Write("ready\n");
        output.Flush();
    }

    private static void WriteVariables(TextWriter output, string? url, string protocol)
    {
        if (url is not null)
        {
            output.Write($"  OTEL_EXPORTER_OTLP_ENDPOINT={url} OTEL_EXPORTER_OTLP_PROTOCOL={protocol}\n");
        }
    }

    /// <summary>An address that an SDK can connect to: one that means "every interface" is shown as this machine.</summary>
    private static string? Find(IReadOnlyList<ListeningAddress> listening, string name) => listening
        .FirstOrDefault(address => address.Name == name)?.Url
        .Replace("//0.0.0.0:", "//localhost:", StringComparison.Ordinal)
        .Replace("//[::]:", "//localhost:", StringComparison.Ordinal);
}
