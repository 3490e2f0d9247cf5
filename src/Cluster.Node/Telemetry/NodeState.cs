using Cluster.Gateway.Receivers.Hosting;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Sharding.Region;

namespace Cluster.Node.Telemetry;

/// <summary>Where the node is in its life.</summary>
public enum NodePhase
{
    /// <summary>Not taking spans yet.</summary>
    Starting = 0,

    /// <summary>Taking spans.</summary>
    Ready = 1,

    /// <summary>Taking no more spans; deciding and exporting what it holds.</summary>
    Draining = 2,
}

/// <summary>An address the node listens on.</summary>
/// <param name="Name"><c>OTLP/gRPC</c>, <c>OTLP/HTTP</c> or <c>admin</c>.</param>
/// <param name="Url">What it listens on, with the port really bound: <c>http://0.0.0.0:4317</c>.</param>
/// <param name="LocalUrl">Where to reach it from this machine: <c>http://127.0.0.1:4317</c>.</param>
public sealed record ListeningAddress(string Name, string Url, string LocalUrl)
{
    /// <summary>The address of an open door.</summary>
    public static ListeningAddress Of(Door door) => new(door.Name, door.ListeningUrl, door.Url.GetLeftPart(UriPartial.Authority));
}

/// <summary>The phase, and why it is not <see cref="NodePhase.Ready"/>.</summary>
/// <param name="Phase">Where the node is.</param>
/// <param name="Reason">For people; null when ready.</param>
public sealed record NodeReadiness(NodePhase Phase, string? Reason);

/// <summary>
/// What the node knows of itself. Written by the composition root as the node goes through its life, read by the admin endpoint and the
/// metrics page; each change is one reference swapped, so that readers never wait. Thread-safe.
/// </summary>
public sealed class NodeState
{
    private volatile NodeReadiness _readiness = new(NodePhase.Starting, "starting");
    private volatile IReadOnlyList<ListeningAddress> _listening = [];

    /// <summary>Name of this node, unique in its cluster.</summary>
    public required string Id { get; init; }

    /// <summary>Version of the program.</summary>
    public required string Version { get; init; }

    /// <summary>When the node started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Component ID of the processor: <c>tail_sampling</c> or <c>tail_sampling/name</c>.</summary>
    public string ProcessorId { get; init; } = "tail_sampling";

    /// <summary><c>limits</c>, the gateway's part.</summary>
    public required GatewayLimits Limits { get; init; }

    /// <summary><c>processors.tail_sampling</c> but for its policies.</summary>
    public required ShardRegionOptions Sharding { get; init; }

    /// <summary>The phase, now.</summary>
    public NodeReadiness Readiness => _readiness;

    /// <summary>What it listens on, now.</summary>
    public IReadOnlyList<ListeningAddress> Listening => _listening;

    /// <summary>Publishes the addresses bound.</summary>
    public void ListenOn(IReadOnlyList<ListeningAddress> addresses) => _listening = addresses;

    /// <summary>Not ready yet.</summary>
    /// <param name="reason">What is being waited for.</param>
    public void Starting(string reason) => _readiness = new NodeReadiness(NodePhase.Starting, reason);

    /// <summary>Takes spans from now on.</summary>
    public void Ready() => _readiness = new NodeReadiness(NodePhase.Ready, null);

    /// <summary>Takes no more spans from now on.</summary>
    /// <param name="reason">Why.</param>
    public void Draining(string reason) => _readiness = new NodeReadiness(NodePhase.Draining, reason);
}
