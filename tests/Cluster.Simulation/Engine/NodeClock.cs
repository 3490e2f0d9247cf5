namespace Cluster.Simulation.Engine;

/// <summary>
/// The monotonic clock of one process. It is too fast or too slow by up to <see cref="MaxDrift"/>, and may jump forward; it never goes back and
/// never stops,
/// as no machine's monotonic clock may. A lease is safe while a clock that is too slow loses less than the lease's margin in a lease's time:
/// <c>TTL x MaxDrift &lt; margin</c>.
/// </summary>
internal sealed class NodeClock
{
    /// <summary>By how much a clock may be too fast or too slow.</summary>
    public const double MaxDrift = 0.05;

    private readonly Scheduler _scheduler;
    private readonly long _began;
    private readonly double _rate;
    private long _jumped;

    /// <summary>A clock that begins now, at some hour of its own.</summary>
    public NodeClock(Scheduler scheduler, SimRandom random)
    {
        _scheduler = scheduler;
        _began = scheduler.Now;
        _rate = 1 + MaxDrift * (2 * random.NextDouble() - 1);
        _jumped = random.Between(1, 1_000_000);
    }

    /// <summary>What it shows, milliseconds.</summary>
    public long Now => (long)((_scheduler.Now - _began) * _rate) / Scheduler.Millisecond + _jumped;

    /// <summary>Goes forward at once.</summary>
    public void Jump(long milliseconds) => _jumped += milliseconds;

    /// <summary>True microseconds from now until it has advanced by so many milliseconds.</summary>
    public long TrueDelay(long milliseconds) => (long)(milliseconds * Scheduler.Millisecond / _rate);
}
