using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// Many messages to one peer under one lock: <c>using PeerBatch batch = links.Batch(to);</c>. Short, on one thread, and with nothing in between
/// that could wait, send to another peer or call back.
/// </summary>
public readonly ref struct PeerBatch
{
    private readonly PeerOutbox? _outbox;

    internal PeerBatch(PeerOutbox? outbox)
    {
        _outbox = outbox;
        outbox?.Enter();
    }

    /// <summary>Copies a message to the end of what waits for the peer.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="shard">The shard that it is about.</param>
    /// <param name="id">The header's number.</param>
    /// <param name="payload">First part of the payload.</param>
    /// <param name="body">Second part; may be empty.</param>
    public PeerSend Send(PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body = default) =>
        _outbox is null ? PeerSend.NotConnected : _outbox.Append(kind, shard, id, payload, body);

    /// <summary>Lets the connection go on.</summary>
    public void Dispose() => _outbox?.Leave();
}
