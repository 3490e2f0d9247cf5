using System.Net;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Sending;

/// <summary>What to send where, and how fast.</summary>
internal sealed record LoadOptions
{
    /// <summary><c>grpc://host:port</c> or <c>http://host:port</c>.</summary>
    public required Uri Target { get; init; }

    /// <summary>Spans a second; 0 for a closed loop.</summary>
    public double Rate { get; init; }

    /// <summary>gRPC connections. Over HTTP/1.1 there are as many as requests in flight.</summary>
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
    public bool IsGrpc => Target.Scheme == "grpc";

    /// <summary>The target's address.</summary>
    public IPEndPoint EndPoint =>
        new(IPAddress.TryParse(Target.DnsSafeHost, out IPAddress? address) ? address : Dns.GetHostAddresses(Target.Host)[0], Target.Port);
}
