namespace Cluster.Sharding.Shards;

/// <summary>
/// Which hand-overs of kept traces the exporters are done with. They end in any order; what counts is up to which one all have. Used by one
/// thread at a time.
/// </summary>
internal sealed class HandOvers
{
    private readonly HashSet<long> _early = [];

    /// <summary>All hand-overs up to this one are done.</summary>
    public long DoneThrough { get; private set; }

    /// <summary>One more is done.</summary>
    /// <returns>Whether <see cref="DoneThrough"/> has risen.</returns>
    public bool Done(long handOver)
    {
        if (handOver != DoneThrough + 1)
        {
            _early.Add(handOver);
            return false;
        }

        DoneThrough = handOver;
        while (_early.Remove(DoneThrough + 1))
        {
            DoneThrough++;
        }

        return true;
    }
}
