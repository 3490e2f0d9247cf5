namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>The doors of one node, with clients of its own. Any number of requests at once.</summary>
internal sealed class Gateway(string name, Uri grpc, Uri http) : IDisposable
{
    private readonly OtlpSender _grpc = OtlpSender.Grpc(grpc);
    private readonly OtlpSender _http = OtlpSender.Http(http);

    /// <summary>The node's name.</summary>
    public string Name => name;

    /// <summary>Over gRPC or over HTTP.</summary>
    public OtlpSender Sender(bool overGrpc) => overGrpc ? _grpc : _http;

    /// <inheritdoc/>
    public void Dispose()
    {
        _grpc.Dispose();
        _http.Dispose();
    }
}
