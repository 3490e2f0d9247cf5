namespace Cluster.Node.Exporters.Sending;

/// <summary>Lets one in an interval through and counts the others. Thread-safe.</summary>
internal sealed class RateLimit(TimeProvider time, TimeSpan interval)
{
    private readonly Lock _gate = new();
    private long? _last;
    private long _count;

    /// <summary>
    /// True for the first and then once an interval; <paramref name="count"/> is how many asked since the last true, this one included.
    /// </summary>
    public bool TryTake(out long count)
    {
        lock (_gate)
        {
            count = ++_count;
            long now = time.GetTimestamp();
            if (_last is { } last && time.GetElapsedTime(last, now) < interval)
            {
                return false;
            }

            _last = now;
            _count = 0;
            return true;
        }
    }
}
