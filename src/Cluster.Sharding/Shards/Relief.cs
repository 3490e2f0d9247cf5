using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// What a worker loop does when its region holds too much: pending traces are decided before they are due, on what there is of them, so that nothing that was
/// acknowledged is given up. Synchronous; used by its worker loop only.
/// </summary>
/// <param name="host">The loop's shards.</param>
/// <param name="services">What they share.</param>
/// <param name="load">What the whole region holds.</param>
internal sealed class Relief(ShardHostCore host, ShardServices services, RegionLoad load)
{
    /// <summary>Share of the soft memory limit from which on a trace counts as a large one.</summary>
    private const int LargeTraceShare = 64;

    /// <summary>How long copies and exporters usually take to confirm what was decided, milliseconds.</summary>
    private const long ConfirmationPatience = 500;

    private long _relieveAgainAt;

    /// <summary>Decides as many traces as the region has too many, the oldest of this loop, once there are more of them than <paramref name="slack"/>.</summary>
    public void OfTraceCount(long slack, long now)
    {
        long excess = load.PendingTraces - services.Options.NumTraces;
        if (excess > slack)
        {
            DecideOldest(CompletionReason.TraceCount, excess, long.MaxValue, now);
        }
    }

    /// <summary>
    /// Above the soft limit: an eighth of the limit's worth of traces at each tick until there is room again, large ones first, then the
    /// oldest.
    /// </summary>
    public void OfMemory(long now)
    {
        long soft = services.Options.MemorySoftBytes;
        if (load.Bytes < soft || now < _relieveAgainAt)
        {
            return;
        }

        // In a cluster, what is decided is held until copies and exporters have confirmed it.
        _relieveAgainAt = services.Options.KeepWholeFrames ? now + ConfirmationPatience : now;
        services.Slabs.Trim();
        long toFree = soft / 8;
        foreach (ShardCore shard in host.Primaries)
        {
            shard.DecideLargerThan(soft / LargeTraceShare, CompletionReason.Memory, now, ref toFree);
        }

        DecideOldest(CompletionReason.Memory, long.MaxValue, toFree, now);
    }

    /// <summary>
    /// Decides pending traces, the oldest first to within a 64th of their age, until so many are decided, so many bytes are freed, or the
    /// exporters have no room.
    /// </summary>
    private void DecideOldest(CompletionReason reason, long traces, long bytes, long now)
    {
        long enough = Held - bytes;
        while (traces > 0 && Held > enough && OldestArrival() is { } arrival)
        {
            long cutoff = arrival + (now - arrival) / 64;
            foreach (ShardCore shard in host.Primaries)
            {
                while (traces > 0 && Held > enough && shard.OldestArrival <= cutoff)
                {
                    if (!services.Writer.HasRoom)
                    {
                        return;
                    }

                    shard.DecideOldest(reason, now);
                    traces--;
                }
            }
        }
    }

    private long Held => services.Statistics.PendingBytes + services.IndexBytes;

    private long? OldestArrival()
    {
        long? oldest = null;
        foreach (ShardCore shard in host.Primaries)
        {
            if (shard.OldestArrival is { } candidate && !(candidate >= oldest))
            {
                oldest = candidate;
            }
        }

        return oldest;
    }
}
