using Cluster.Messages.Frames;

namespace Cluster.Messages.Sharding;

/// <summary>
/// The gateway's way to the shards, wherever they are: this node's own, and those of its peers.
/// </summary>
public interface IShardRegion
{
    /// <summary>Who owns which shard, as far as this node knows; replaced as a whole. Frames carry the terms found here.</summary>
    ShardAllocation Allocation { get; }

    /// <summary>
    /// Says whether a request would be refused before any of it is read: a cheap look at published state, no promise.
    /// </summary>
    Refusal Admission { get; }

    /// <summary>
    /// Takes the frames of requests that go together. Completes when each is in its shard's log, or one was refused.
    /// The region has taken a copy of what it keeps: the caller gives the batch back afterwards. Thread-safe.
    /// </summary>
    ValueTask<Refusal> DeliverAsync(FrameBatch batch);
}
