using System.Net;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Sending;

/// <summary>What to send where, and how fast.</summary>
internal sealed record LoadOptions
{
    /// <summary>
    /// One or more of <c>grpc://host:port</c> or <c>http://host:port</c>, all of one scheme. Connections are dealt out to them in turn.
    /// </summary>
    public required IReadOnlyList<Uri> Targets { get; init; }

    /// <summary>Spans a second; 0 for a closed loop.</summary>
    public double Rate { get; init; }

    /// <summary>gRPC connections, at least one a target. Over HTTP/1.1 there are as many as requests in flight.</summary>
    public int Connections { get; init; } = 4;

    /// <summary>Requests in flight, over all connections.</summary>
    public int InFlight { get; init; } = 16;

    /// <summary>Seconds of load before the measured window.</summary>
    public double WarmUpSeconds { get; init; }

    /// <summary>Seconds of the measured window.</summary>
    public double Seconds { get; init; } = 10;

    /// <summary>Spans after which to stop, if that comes first.</summary>
    public long MaxSpans { get; init; } = long.MaxValue;

    /// <summary>Send gzip.</summary>
    public bool Gzip { get; init; }

    /// <summary>Memory for compressed requests.</summary>
    public long GzipMemoryBytes { get; init; } = 1L << 30;

    /// <summary>Seed of trace IDs: another one for every run against the same node.</summary>
    public ulong Seed { get; init; } = TraceWorkload.DefaultSeed;

    /// <summary>True for gRPC, false for HTTP.</summary>
    public bool IsGrpc => Targets[0].Scheme == "grpc";

    /// <summary>The address of the target of a connection.</summary>
    public IPEndPoint EndPoint(int connection)
    {
        Uri target = Targets[connection % Targets.Count];
        return new IPEndPoint(
            IPAddress.TryParse(target.DnsSafeHost, out IPAddress? address) ? address : Dns.GetHostAddresses(target.Host)[0], target.Port);
    }
}
