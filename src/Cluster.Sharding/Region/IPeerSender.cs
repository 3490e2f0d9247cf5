using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Region;

/// <summary>The way from a region to other members. Thread-safe.</summary>
public interface IPeerSender
{
    /// <summary>Copies a message to the end of what waits for a member's connection; it is lost if that is.</summary>
    /// <param name="to">Who.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="shard">The shard that it is about.</param>
    /// <param name="id">The header's number.</param>
    /// <param name="payload">First part of the payload.</param>
    /// <param name="body">Second part; may be empty.</param>
    PeerSend Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body);
}
