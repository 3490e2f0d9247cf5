namespace Cluster.Node.Configuration;

/// <summary>What the command line says in place of the file; null where it says nothing.</summary>
/// <param name="OtlpGrpc"><c>--otlp-grpc</c>.</param>
/// <param name="OtlpHttp"><c>--otlp-http</c>.</param>
/// <param name="Admin"><c>--admin</c>.</param>
/// <param name="Cluster">What it says about the cluster.</param>
public sealed record CommandLineOverrides(string? OtlpGrpc = null, string? OtlpHttp = null, string? Admin = null, ClusterOverrides? Cluster = null);

/// <summary>What the command line says about the cluster in place of the file; null where it says nothing.</summary>
/// <param name="Store"><c>--cluster</c>: <c>etcd://host:port[,host:port...]</c>, or <c>etcds://</c> for TLS.</param>
/// <param name="Name"><c>--name</c>.</param>
/// <param name="Advertise"><c>--advertise</c>.</param>
/// <param name="NodeId"><c>--node-id</c>.</param>
/// <param name="Peer"><c>--peer</c>.</param>
public sealed record ClusterOverrides(
    string? Store = null, string? Name = null, string? Advertise = null, string? NodeId = null, string? Peer = null);
