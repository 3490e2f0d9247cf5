using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;

namespace Cluster.Sharding.Shards;

/// <summary>
/// The shards of one worker loop, as primary or as copy. A synchronous state machine: allocations, frames, messages of peers and time come
/// in as method calls; answers and messages go out through <see cref="IShardHostEffects"/>. Used by one thread at a time.
/// </summary>
internal sealed class ShardHostCore : IDisposable
{
    /// <summary>A host of no shard until it has an allocation.</summary>
    /// <param name="self">The member it works for.</param>
    /// <param name="services">What its shards share.</param>
    /// <param name="effects">What it wants done.</param>
    /// <param name="carries">Whether a shard is this worker loop's.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public ShardHostCore(MemberId self, ShardServices services, IShardHostEffects effects, Func<int, bool> carries, long now)
    {
        _ = (self, services, effects, carries, now);
    }

    /// <summary>What the primaries here have to say of their copies. A new list whenever it changes.</summary>
    public IReadOnlyList<ShardReport> Reports { get; } = [];

    /// <summary>A newer allocation: shards come, go, are promoted; copies change.</summary>
    public void Apply(ShardAllocation allocation, long now) => throw new NotImplementedException();

    /// <summary>Until when this node's lease is known to last: later nothing is acknowledged and no verdict takes effect.</summary>
    /// <param name="validUntil">Monotonic milliseconds; <see cref="long.MaxValue"/> for a node alone.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void SetAuthority(long validUntil, long now) => throw new NotImplementedException();

    /// <summary>Takes a frame of one of its shards; answered by <see cref="IShardHostEffects.Answer"/>, perhaps before this returns.</summary>
    public void Deliver(int shard, ReadOnlySpan<byte> frame, ulong token, long now) => throw new NotImplementedException();

    /// <summary>A message of a peer: <see cref="PeerMessageKind.Replicate"/> or <see cref="PeerMessageKind.Replicated"/>.</summary>
    public void Receive(MemberId from, PeerMessageHeader header, ReadOnlySpan<byte> payload, long now) => throw new NotImplementedException();

    /// <summary>The connection to a member was lost and made anew, or lost: what was under way may not have arrived.</summary>
    public void ConnectionChanged(MemberId peer, bool connected, long now) => throw new NotImplementedException();

    /// <summary>Time has passed: due traces are decided, what is overdue is sent again, slow copies are suspected.</summary>
    public void Advance(long now) => throw new NotImplementedException();

    /// <summary>The exporters are done for good with everything that was handed over up to this one.</summary>
    /// <param name="handOver">Number of the hand-over of kept traces, counted by the writer from 1.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Exported(long handOver, long now) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
