namespace Cluster.Sharding.Traces;

/// <summary>
/// Turns hand-overs that the exporters are done with, in any order, into a number up to which they are done with all. Used by one thread at a time.
/// </summary>
internal sealed class HandOverOrder
{
    private readonly HashSet<long> _early = [];

    /// <summary>The exporters are done with every hand-over up to this one; 0 before the first.</summary>
    public long UpTo { get; private set; }

    /// <summary>The exporters are done with one.</summary>
    /// <param name="handOver">Its number, from 1.</param>
    /// <returns>Whether <see cref="UpTo"/> has risen.</returns>
    public bool Add(long handOver)
    {
        if (handOver != UpTo + 1)
        {
            _early.Add(handOver);
            return false;
        }

        UpTo = handOver;
        while (_early.Remove(UpTo + 1))
        {
            UpTo++;
        }

        return true;
    }
}
