namespace Cluster.Sharding.Transport;

/// <summary>What all connections of a node share.</summary>
internal sealed record PeerServices(PeerLinkOptions Options, IPeerHandler Handler, TimeProvider Time, Random Random, PeerTls? Tls)
{
    /// <summary>A random number, 0 to 1. Thread-safe.</summary>
    public double Sample()
    {
        lock (Random)
        {
            return Random.NextDouble();
        }
    }

    /// <summary>Ends after a time, or with <paramref name="stop"/>.</summary>
    public TimeLimit Limit(TimeSpan time, CancellationToken stop) => new(new CancellationTokenSource(time, Time), stop);
}

/// <summary>A token that is cancelled after a time, or together with another one.</summary>
internal sealed class TimeLimit(CancellationTokenSource timeout, CancellationToken stop) : IDisposable
{
    private readonly CancellationTokenSource _both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop);

    public CancellationToken Token => _both.Token;

    /// <summary>Whether the time is over.</summary>
    public bool IsOver => timeout.IsCancellationRequested;

    public void Dispose()
    {
        _both.Dispose();
        timeout.Dispose();
    }
}
