namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>The <c>receivers.otlp</c> block.</summary>
public sealed record OtlpReceiverOptions
{
    /// <summary><c>protocols.grpc</c>; null when not listed.</summary>
    public OtlpGrpcOptions? Grpc { get; init; }

    /// <summary><c>protocols.http</c>; null when not listed.</summary>
    public OtlpHttpOptions? Http { get; init; }
}

/// <summary>OTLP/gRPC.</summary>
public sealed record OtlpGrpcOptions
{
    /// <summary>Address and port to listen on; port 0 takes a free one.</summary>
    public string Endpoint { get; init; } = "localhost:4317";

    /// <summary>Largest message, inflated, in bytes (<c>max_recv_msg_size_mib</c>). 4 MiB is gRPC's own default.</summary>
    public int MaxMessageBytes { get; init; } = 4 << 20;

    /// <summary>Concurrent calls a connection (<c>max_concurrent_streams</c>).</summary>
    public int MaxConcurrentStreams { get; init; } = 100;

    /// <summary>TLS; null for cleartext.</summary>
    public TlsServerOptions? Tls { get; init; }
}

/// <summary>OTLP/HTTP.</summary>
public sealed record OtlpHttpOptions
{
    /// <summary>Address and port to listen on; port 0 takes a free one.</summary>
    public string Endpoint { get; init; } = "localhost:4318";

    /// <summary>Path that takes traces (<c>traces_url_path</c>).</summary>
    public string TracesPath { get; init; } = "/v1/traces";

    /// <summary>Largest body, inflated, in bytes (<c>max_request_body_size</c>). 20 MiB as in the Collector.</summary>
    public int MaxBodyBytes { get; init; } = 20 << 20;

    /// <summary>TLS; null for cleartext.</summary>
    public TlsServerOptions? Tls { get; init; }

    /// <summary>CORS for SDKs in browsers; null for none.</summary>
    public CorsOptions? Cors { get; init; }
}

/// <summary>TLS of a door (<c>tls</c>).</summary>
public sealed record TlsServerOptions
{
    /// <summary>PEM file of the certificate chain.</summary>
    public required string CertFile { get; init; }

    /// <summary>PEM file of its private key.</summary>
    public required string KeyFile { get; init; }

    /// <summary>PEM file of CAs; when set, clients must show a certificate that one of them signed.</summary>
    public string? ClientCaFile { get; init; }
}

/// <summary>CORS (<c>cors</c>).</summary>
public sealed record CorsOptions
{
    /// <summary>Origins, <c>*</c> standing for any run of characters.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>Request headers beyond the safe-listed ones.</summary>
    public IReadOnlyList<string> AllowedHeaders { get; init; } = [];

    /// <summary>Seconds a browser may remember the answer (<c>max_age</c>); 0 leaves it to the browser.</summary>
    public int MaxAgeSeconds { get; init; }
}

/// <summary>What all doors together may hold (<c>limits</c>).</summary>
public sealed record GatewayLimits
{
    /// <summary>Request bytes being worked on at once, compressed and inflated together (<c>in_flight_bytes</c>).</summary>
    public long InFlightBytes { get; init; } = 256L << 20;

    /// <summary>Open connections of all doors together (<c>connections</c>).</summary>
    public int Connections { get; init; } = 10_000;

    /// <summary>Longest time from a request's headers to the last byte of its body (<c>body_timeout</c>).</summary>
    public TimeSpan BodyTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What a refused client is told to wait (<c>retry_after</c>).</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);
}
