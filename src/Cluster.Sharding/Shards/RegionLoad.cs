using Cluster.Sharding.Log;

namespace Cluster.Sharding.Shards;

/// <summary>
/// What all worker loops of a region hold together: each adds its changes after every message, and anyone reads the sums, which the limits
/// are measured against. Thread-safe.
/// </summary>
internal sealed class RegionLoad(SlabPool slabs)
{
    private long _indexBytes;
    private long _pendingTraces;

    /// <summary>Bytes that pending traces take: slabs in use, and everything that finds, sorts and compares what is in them.</summary>
    public long Bytes => slabs.BytesInUse + Volatile.Read(ref _indexBytes);

    /// <summary>Pending traces.</summary>
    public long PendingTraces => Volatile.Read(ref _pendingTraces);

    /// <summary>A worker loop holds more, or less, than it said last.</summary>
    public void Add(long indexBytes, long pendingTraces)
    {
        if (indexBytes != 0)
        {
            Interlocked.Add(ref _indexBytes, indexBytes);
        }

        if (pendingTraces != 0)
        {
            Interlocked.Add(ref _pendingTraces, pendingTraces);
        }
    }
}
