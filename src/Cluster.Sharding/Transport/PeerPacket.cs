using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// One packet of a peer, where it was read to: its messages are not copied. The bytes belong to a pooled block that packets share; each
/// <see cref="Retain"/> is matched by one <see cref="Release"/>, from any thread, after which the bytes must not be looked at.
/// </summary>
public sealed class PeerPacket
{
    private readonly ReceiveBlock _block;
    private readonly int _offset;

    internal PeerPacket(ReceiveBlock block, int offset, int length)
    {
        _block = block;
        _offset = offset;
        Length = length;
    }

    /// <summary>Bytes of the messages.</summary>
    public int Length { get; }

    /// <summary>The messages; <see cref="PeerPacketReader.Count"/> has found them to be whole.</summary>
    public ReadOnlySpan<byte> Messages => _block.Bytes.AsSpan(_offset, Length);

    /// <summary>Walks the messages.</summary>
    public PeerPacketReader Read() => new(Messages);

    /// <summary>Keeps the bytes after the call in which the packet was given.</summary>
    public void Retain() => _block.Retain();

    /// <summary>Gives back what <see cref="Retain"/> kept.</summary>
    public void Release() => _block.Release();
}
