using Cluster.Sharding.Shards;

namespace Cluster.Sharding.Region;

/// <summary>What went between a node's shards and other nodes since start; read without stopping anything, so numbers may differ by a moment.</summary>
public sealed record FrameTraffic
{
    /// <summary>Frames sent to the owners of their shards on other nodes.</summary>
    public long ForwardedFrames { get; init; }

    /// <summary>Of these, sent once more: the owner had changed, or the connection was lost.</summary>
    public long ForwardedAgainFrames { get; init; }

    /// <summary>Frames that primaries here recognised as delivered before.</summary>
    public long RepeatedFrames { get; init; }

    /// <summary>Frames that primaries here sent to copies; those sent again count again.</summary>
    public long ReplicatedFramesOut { get; init; }

    /// <summary>Frames that copies here took.</summary>
    public long ReplicatedFramesIn { get; init; }

    /// <summary>Bytes that primaries here sent to copies; what was sent again counts again.</summary>
    public long ReplicatedBytesOut { get; init; }

    /// <summary>Bytes that copies here took.</summary>
    public long ReplicatedBytesIn { get; init; }

    /// <summary>Bytes sent to copies that have not confirmed them yet, now.</summary>
    public long UnacknowledgedBytes { get; init; }

    /// <summary>Copies that primaries here reported as not keeping up.</summary>
    public long Suspects { get; init; }

    /// <summary>The sums over a region's worker loops.</summary>
    internal static FrameTraffic Of(ShardRegion region)
    {
        WorkerStatistics[] workers = [.. region.Workers.Select(worker => worker.Statistics)];
        return new FrameTraffic
        {
            ForwardedFrames = region.ForwardedFrames,
            ForwardedAgainFrames = region.ForwardedAgainFrames,
            RepeatedFrames = workers.Sum(worker => worker.RepeatedFrames),
            ReplicatedFramesOut = workers.Sum(worker => worker.ReplicatedFramesOut),
            ReplicatedFramesIn = workers.Sum(worker => worker.ReplicatedFramesIn),
            ReplicatedBytesOut = workers.Sum(worker => worker.ReplicatedBytesOut),
            ReplicatedBytesIn = workers.Sum(worker => worker.ReplicatedBytesIn),
            UnacknowledgedBytes = workers.Sum(worker => worker.UnacknowledgedBytes),
            Suspects = workers.Sum(worker => worker.Suspects),
        };
    }
}
