namespace Cluster.Sharding.Region;

/// <summary>Milliseconds that a node's cores count: from one moment on, never backwards, whatever the wall clock does. Thread-safe.</summary>
public sealed class MonotonicClock
{
    /// <summary>A clock that is 0 now.</summary>
    public MonotonicClock(TimeProvider time)
    {
        Time = time;
        Start = time.GetTimestamp();
        StartedAt = time.GetUtcNow();
    }

    /// <summary>Whose timers go with it.</summary>
    public TimeProvider Time { get; }

    /// <summary>Its zero as a timestamp of <see cref="Time"/>.</summary>
    public long Start { get; }

    /// <summary>Its zero on the wall clock.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>Milliseconds since its zero.</summary>
    public long Now => (long)Time.GetElapsedTime(Start).TotalMilliseconds;
}
