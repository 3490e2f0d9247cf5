using Cluster.Messages.Sharding;

namespace Cluster.Node.Telemetry;

/// <summary>What the doors are doing, from counters; cheap. Thread-safe.</summary>
public interface IGatewayInspection
{
    /// <summary>All doors together, now.</summary>
    GatewaySnapshot GetGateway();
}

/// <summary>All doors together, now.</summary>
public sealed record GatewaySnapshot
{
    /// <summary>Request bytes being worked on.</summary>
    public long InFlightBytes { get; init; }

    /// <summary>Open connections.</summary>
    public long Connections { get; init; }

    /// <summary>Requests answered since start; one entry for each door and outcome.</summary>
    public IReadOnlyList<RequestCount> Requests { get; init; } = [];

    /// <summary>Requests refused since start; one entry for each reason.</summary>
    public IReadOnlyList<RefusalCount> Refusals { get; init; } = [];

    /// <summary>Spans rejected for an invalid trace or span ID since start.</summary>
    public long RejectedSpans { get; init; }
}

/// <summary>Requests of one door with one outcome.</summary>
/// <param name="Door"><c>grpc</c>, <c>http_protobuf</c>, <c>http_json</c>.</param>
/// <param name="Outcome"><c>ok</c>, <c>partial</c>, <c>malformed</c>, <c>too_large</c>, <c>refused</c> and the like.</param>
/// <param name="Requests">Since start.</param>
public sealed record RequestCount(string Door, string Outcome, long Requests);

/// <summary>Requests refused for one reason.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Requests">Since start.</param>
/// <param name="Spans">Spans in them, as far as they were read; a request refused before it is read counts none.</param>
public sealed record RefusalCount(Refusal Reason, long Requests, long Spans);
