using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Shards;

/// <summary>What a worker loop needs of its region. Thread-safe.</summary>
internal interface IWorkerWays
{
    /// <summary>Why frames of peers are not taken now.</summary>
    Refusal PeerAdmission { get; }

    /// <summary>Sends a message to another member, or loses it.</summary>
    void Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body);

    /// <summary>Some primary here has something else to say of its copies.</summary>
    void ReportsChanged();
}
