using Cluster.Gateway.Receivers.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>The OTLP doors of a node, as configured. Thread-safe.</summary>
public sealed class OtlpReceiver
{
    /// <summary>Name of the gRPC door.</summary>
    public const string GrpcName = "OTLP/gRPC";

    /// <summary>Name of the HTTP door.</summary>
    public const string HttpName = "OTLP/HTTP";

    private readonly OtlpReceiverOptions _options;
    private readonly ConnectionLimit _connections;
    private readonly GrpcHealthEndpoint? _health;

    internal OtlpReceiver(
        OtlpReceiverOptions options,
        DoorServices services,
        ConnectionLimit connections,
        Readiness readiness,
        ILoggerFactory loggers,
        CancellationToken stopping)
    {
        _options = options;
        _connections = connections;
        if (options.Grpc is { } grpc)
        {
            _health = new GrpcHealthEndpoint(services, readiness, stopping);
            OtlpGrpcEndpoint endpoint = new(grpc, services, _health, loggers.CreateLogger<OtlpGrpcEndpoint>());
            Grpc = new Door(GrpcName, grpc.Endpoint, HttpProtocols.Http2, grpc.Tls, endpoint.HandleAsync);
        }

        if (options.Http is { } http)
        {
            OtlpHttpEndpoint endpoint = new(http, services, loggers.CreateLogger<OtlpHttpEndpoint>());

            // Which of the two is spoken is agreed on in TLS; without it Kestrel has to be told.
            HttpProtocols protocols = http.Tls is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
            Http = new Door(HttpName, http.Endpoint, protocols, http.Tls, endpoint.HandleAsync);
        }
    }

    /// <summary>OTLP/gRPC; null when not configured.</summary>
    public Door? Grpc { get; }

    /// <summary>OTLP/HTTP; null when not configured.</summary>
    public Door? Http { get; }

    /// <summary>Health watches open now.</summary>
    internal int OpenWatches => _health?.OpenWatches ?? 0;

    /// <summary>Sets the server's limits and opens the doors on it. Call it once, before the server starts.</summary>
    /// <exception cref="FormatException">An endpoint is not an address and a port.</exception>
    /// <exception cref="IOException">A PEM file cannot be read.</exception>
    public void ConfigureKestrel(KestrelServerOptions server)
    {
        KestrelDoors.ConfigureLimits(server, (_options.Grpc ?? new OtlpGrpcOptions()).MaxConcurrentStreams);
        if (Grpc is not null)
        {
            KestrelDoors.Listen(server, Grpc, _connections);
        }

        if (Http is not null)
        {
            KestrelDoors.Listen(server, Http, _connections);
        }
    }
}
