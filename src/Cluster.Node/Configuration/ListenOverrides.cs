namespace Cluster.Node.Configuration;

/// <summary>Addresses from the command line, which take the place of those in the file; null where none is given.</summary>
/// <param name="OtlpGrpc"><c>--otlp-grpc</c>.</param>
/// <param name="OtlpHttp"><c>--otlp-http</c>.</param>
/// <param name="Admin"><c>--admin</c>.</param>
public sealed record ListenOverrides(string? OtlpGrpc = null, string? OtlpHttp = null, string? Admin = null);
