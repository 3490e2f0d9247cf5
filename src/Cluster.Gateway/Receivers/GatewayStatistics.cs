using Cluster.Gateway.Receivers.Hosting;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Receivers;

/// <summary>Which door a request came through. Values are stable: they are labels of metrics.</summary>
public enum DoorKind
{
    /// <summary>OTLP/gRPC.</summary>
    Grpc = 0,

    /// <summary>OTLP/HTTP, protobuf or JSON.</summary>
    Http = 1,
}

/// <summary>What became of a request. Values are stable: they are labels of metrics.</summary>
public enum RequestOutcome
{
    /// <summary>All its spans were taken.</summary>
    Accepted = 0,

    /// <summary>Some spans were rejected for their IDs, the others taken.</summary>
    PartlyAccepted = 1,

    /// <summary>It is no OTLP request, or no proper call.</summary>
    Malformed = 2,

    /// <summary>Not now; <see cref="Messages.Sharding.Refusal"/> says why.</summary>
    Refused = 3,

    /// <summary>Larger than the door takes, or than its frames may become.</summary>
    TooLarge = 4,

    /// <summary>The body, or the answer, was not there in time.</summary>
    TimedOut = 5,

    /// <summary>The client went away before its answer.</summary>
    ClientGone = 6,

    /// <summary>A path, method, media type or encoding that is not served.</summary>
    NotServed = 7,

    /// <summary>Something here is broken.</summary>
    Failed = 8,
}

/// <summary>What the doors count. Thread-safe: a few interlocked additions a request, none a span.</summary>
public sealed class GatewayStatistics
{
    private static readonly int Outcomes = Enum.GetValues<RequestOutcome>().Length;
    private static readonly int Refusals = Enum.GetValues<Refusal>().Length;

    private readonly Counters[] _doors = [new(), new()];
    private readonly InFlightBytes _inFlight;
    private readonly ConnectionLimit _connections;

    internal GatewayStatistics(InFlightBytes inFlight, ConnectionLimit connections)
    {
        _inFlight = inFlight;
        _connections = connections;
    }

    /// <summary>The counts so far. They are read one by one: sums may differ by requests that end meanwhile.</summary>
    public GatewaySnapshot Snapshot() => new(
        _inFlight.Held, _connections.Open, _connections.Refused, [.. _doors.Select((door, kind) => door.Snapshot((DoorKind)kind))]);

    /// <summary>Counts a request that was taken.</summary>
    internal void Taken(DoorKind door, in IntakeOutcome outcome)
    {
        Counters counters = _doors[(int)door];
        RequestOutcome kind = outcome.RejectedSpans == 0 ? RequestOutcome.Accepted : RequestOutcome.PartlyAccepted;
        Interlocked.Increment(ref counters.Requests[(int)kind]);
        Interlocked.Add(ref counters.AcceptedSpans, outcome.AcceptedSpans);
        if (outcome.RejectedSpans != 0)
        {
            Interlocked.Add(ref counters.RejectedSpans, outcome.RejectedSpans);
        }
    }

    /// <summary>Counts a request that was not taken.</summary>
    internal void NotTaken(DoorKind door, RequestOutcome outcome, Refusal refusal = Refusal.None)
    {
        Counters counters = _doors[(int)door];
        Interlocked.Increment(ref counters.Requests[(int)outcome]);
        if ((uint)(refusal - 1) < (uint)(Refusals - 1))
        {
            Interlocked.Increment(ref counters.Refused[(int)refusal]);
        }
    }

    /// <summary>Counts a body that was read.</summary>
    internal void Read(DoorKind door, int received, int inflated)
    {
        Counters counters = _doors[(int)door];
        Interlocked.Add(ref counters.ReceivedBytes, received);
        Interlocked.Add(ref counters.InflatedBytes, inflated);
    }

    private sealed class Counters
    {
        public readonly long[] Requests = new long[Outcomes];
        public readonly long[] Refused = new long[Refusals];
        public long AcceptedSpans;
        public long RejectedSpans;
        public long ReceivedBytes;
        public long InflatedBytes;

        public DoorSnapshot Snapshot(DoorKind door) => new(
            door,
            Interlocked.Read(ref AcceptedSpans),
            Interlocked.Read(ref RejectedSpans),
            Interlocked.Read(ref ReceivedBytes),
            Interlocked.Read(ref InflatedBytes),
            Copy<RequestOutcome>(Requests, 0),
            Copy<Refusal>(Refused, 1));

        private static Dictionary<T, long> Copy<T>(long[] counts, int from) where T : struct, Enum =>
            Enum.GetValues<T>().Skip(from).ToDictionary(value => value, value => Interlocked.Read(ref counts[Convert.ToInt32(value)]));
    }
}

/// <summary>Counts of all doors at one moment.</summary>
/// <param name="InFlightBytes">Bytes held for requests in work, now.</param>
/// <param name="Connections">Connections of all doors together, now.</param>
/// <param name="RefusedConnections">Connections closed at once because there were too many, since the start.</param>
/// <param name="Doors">Each door, in the order of <see cref="DoorKind"/>.</param>
public sealed record GatewaySnapshot(long InFlightBytes, int Connections, long RefusedConnections, IReadOnlyList<DoorSnapshot> Doors);

/// <summary>Counts of one door since the start.</summary>
/// <param name="Door">Which one.</param>
/// <param name="AcceptedSpans">Spans that were taken.</param>
/// <param name="RejectedSpans">Spans that were rejected for their IDs.</param>
/// <param name="ReceivedBytes">Bytes of bodies as they arrived, compressed if they were.</param>
/// <param name="InflatedBytes">The same after inflation.</param>
/// <param name="Requests">Requests by what became of them; every outcome is listed.</param>
/// <param name="Refused">Refused requests by reason; every reason is listed.</param>
public sealed record DoorSnapshot(
    DoorKind Door,
    long AcceptedSpans,
    long RejectedSpans,
    long ReceivedBytes,
    long InflatedBytes,
    IReadOnlyDictionary<RequestOutcome, long> Requests,
    IReadOnlyDictionary<Refusal, long> Refused);
