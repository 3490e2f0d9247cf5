namespace Cluster.Sharding.Region;

/// <summary>Milliseconds that a node's cores count: from one moment on, never backwards, whatever the wall clock does. Thread-safe.</summary>
public sealed class MonotonicClock
{
    private readonly long _start;

    /// <summary>A clock that is 0 now.</summary>
    public MonotonicClock(TimeProvider time)
    {
        Time = time;
        _start = time.GetTimestamp();
        StartedAt = time.GetUtcNow();
    }

    /// <summary>Whose timers go with it.</summary>
    public TimeProvider Time { get; }

    /// <summary>Its zero on the wall clock.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>Milliseconds since its zero.</summary>
    public long Now => (long)Time.GetElapsedTime(_start).TotalMilliseconds;
}
