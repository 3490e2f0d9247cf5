using System.Runtime.InteropServices;

namespace Cluster.Messages.Transport;

/// <summary>
/// Writes a packet into bytes that somebody else owns: messages one after the other, the header last. Room is the caller's concern:
/// <see cref="SizeOf"/> says how much a message takes.
/// </summary>
public static class PeerPacketWriter
{
    /// <summary>Bytes of a message with a payload of two parts; more than fits into an array when the payload is that long.</summary>
    public static long SizeOf(int payload, int body) => PeerMessageHeader.Size + (long)payload + body;

    /// <summary>Writes a message.</summary>
    /// <param name="packet">The packet.</param>
    /// <param name="position">Where in it; <see cref="PeerPacketFormat.HeaderSize"/> for the first message.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="shard">The shard that it is about.</param>
    /// <param name="id">The header's number.</param>
    /// <param name="payload">First part of the payload.</param>
    /// <param name="body">Second part; may be empty.</param>
    /// <returns>The position after it.</returns>
    public static int Write(
        Span<byte> packet, int position, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
    {
        PeerMessageHeader header = new() { Kind = kind, Shard = checked((ushort)shard), Length = payload.Length + body.Length, Id = id };
        MemoryMarshal.Write(packet[position..], header);
        payload.CopyTo(packet[(position + PeerMessageHeader.Size)..]);
        body.CopyTo(packet[(position + PeerMessageHeader.Size + payload.Length)..]);
        return position + PeerMessageHeader.Size + header.Length;
    }
}
