using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Shards;

/// <summary>What a <see cref="ShardHostCore"/> wants done outside of it. Called from inside its methods; must not call back into it.</summary>
internal interface IShardHostEffects
{
    /// <summary>Answers a delivery, once. <see cref="Refusal.None"/>: the frame is in the log of every in-sync copy.</summary>
    /// <param name="token">As it was given to <see cref="ShardHostCore.Deliver"/>.</param>
    /// <param name="refusal">Whether it was taken.</param>
    void Answer(ulong token, Refusal refusal);

    /// <summary>
    /// Sends a message to another member, or loses it: a core sends again what matters. The payload is copied before the call returns.
    /// </summary>
    /// <param name="to">Who.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="shard">The shard that it is about.</param>
    /// <param name="id">The header's number.</param>
    /// <param name="payload">First part of the payload.</param>
    /// <param name="body">Second part; may be empty.</param>
    void Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body);
}
