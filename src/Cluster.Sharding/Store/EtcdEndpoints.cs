namespace Cluster.Sharding.Store;

/// <summary>
/// Which endpoint to ask: one, until it fails; then it is put aside for a moment. Thread-safe; time in milliseconds of a monotonic clock.
/// </summary>
internal sealed class EtcdEndpoints
{
    private readonly Lock _lock = new();
    private readonly Uri[] _all;
    private readonly long[] _asideUntil;
    private readonly TimeSpan _putAside;
    private readonly Random _random;
    private int _current;

    /// <summary>Begins with any of them.</summary>
    public EtcdEndpoints(EtcdOptions options, Random random)
    {
        _all = [.. options.Endpoints];
        _asideUntil = new long[_all.Length];
        Array.Fill(_asideUntil, long.MinValue);
        _putAside = options.PutAside;
        _random = random;
        _current = random.Next(_all.Length);
    }

    /// <summary>All of them in the order in which to ask: those put aside come last.</summary>
    public Uri[] InOrder(long now)
    {
        lock (_lock)
        {
            return [.. Enumerable.Range(0, _all.Length)
                .Select(offset => (_current + offset) % _all.Length)
                .OrderBy(index => _asideUntil[index] > now ? _asideUntil[index] : long.MinValue)
                .Select(index => _all[index])];
        }
    }

    /// <summary>It answered: it is asked first from now on.</summary>
    public void Succeeded(Uri endpoint)
    {
        lock (_lock)
        {
            _current = Array.IndexOf(_all, endpoint);
            _asideUntil[_current] = long.MinValue;
        }
    }

    /// <summary>It failed.</summary>
    public void Failed(Uri endpoint, long now)
    {
        lock (_lock)
        {
            _asideUntil[Array.IndexOf(_all, endpoint)] = now + (long)Jitter(_putAside).TotalMilliseconds;
        }
    }

    /// <summary>A time between half of it and one and a half.</summary>
    public TimeSpan Jitter(TimeSpan time)
    {
        lock (_lock)
        {
            return time * (0.5 + _random.NextDouble());
        }
    }
}
