namespace Cluster.Simulation.Engine;

/// <summary>
/// What happens when: events in order of simulated time, and of their making where the time is the same. Time is in microseconds, and is the
/// truth that no node knows; it jumps from event to event.
/// </summary>
internal sealed class Scheduler
{
    /// <summary>Microseconds of a millisecond.</summary>
    public const long Millisecond = 1000;

    /// <summary>Microseconds of a second.</summary>
    public const long Second = 1000 * Millisecond;

    /// <summary>No run has so many events unless something goes round in circles.</summary>
    private const long MostEvents = 2_000_000;

    private readonly PriorityQueue<Action, (long Time, long Number)> _events = new();
    private long _number;

    /// <summary>The true time.</summary>
    public long Now { get; private set; }

    /// <summary>Events that have happened.</summary>
    public long Happened { get; private set; }

    /// <summary>Lets something happen at a time, not before now.</summary>
    public void At(long time, Action happening) => _events.Enqueue(happening, (Math.Max(time, Now), _number++));

    /// <summary>Lets something happen after a while.</summary>
    public void After(long delay, Action happening) => At(Now + delay, happening);

    /// <summary>Lets everything happen until a time.</summary>
    public void RunUntil(long end)
    {
        while (_events.TryPeek(out Action? happening, out (long Time, long Number) when) && when.Time <= end)
        {
            _events.Dequeue();
            Now = when.Time;
            if (++Happened > MostEvents)
            {
                throw new ViolationException("livelock", $"{MostEvents} events, and no end");
            }

            happening();
        }

        Now = Math.Max(Now, end);
    }
}
