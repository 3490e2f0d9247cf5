using System.Buffers.Binary;

namespace Cluster.Messages.Transport;

/// <summary>
/// What crosses a connection between two nodes: packets, little-endian.
/// <code>
/// length     4 bytes   of the messages; 0 in a heartbeat
/// checksum   4 bytes   CRC-32C of the messages
/// messages             PeerMessageHeader and its payload, one after the other
/// </code>
/// The first packet each way is a <see cref="PeerHandshake"/> instead of messages.
/// </summary>
public static class PeerPacketFormat
{
    /// <summary>Version of what nodes say to each other. Nodes of different versions refuse each other.</summary>
    public const ushort Version = 1;

    /// <summary>Bytes before the messages.</summary>
    public const int HeaderSize = 8;

    /// <summary>The largest message that nodes take from each other unless told otherwise, header included.</summary>
    public const int MaxMessageBytes = 64 << 20;

    /// <summary>A packet of more than one message is at most so long, header included; one of a single message as long as that is.</summary>
    public const int MaxGatheredSize = 128 << 10;

    /// <summary>The most bytes of messages in a packet for one who takes messages of up to <paramref name="maxMessageBytes"/>.</summary>
    public static int MaxLength(int maxMessageBytes) => Math.Max(maxMessageBytes, MaxGatheredSize - HeaderSize);

    /// <summary>Writes the header of the packet that <paramref name="packet"/> is, over its first bytes.</summary>
    public static void WriteHeader(Span<byte> packet)
    {
        Span<byte> messages = packet[HeaderSize..];
        BinaryPrimitives.WriteInt32LittleEndian(packet, messages.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(packet[4..], Crc32C.Hash(messages));
    }

    /// <summary>Reads the length of a packet's messages from its header, of which at least 4 bytes must be there; negative when it is none.</summary>
    public static int ReadLength(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadInt32LittleEndian(header);

    /// <summary>Whether the messages of a packet are the ones that its header was written for.</summary>
    /// <param name="packet">The whole packet, header included.</param>
    public static bool IsIntact(ReadOnlySpan<byte> packet) =>
        packet.Length >= HeaderSize
        && ReadLength(packet) == packet.Length - HeaderSize
        && BinaryPrimitives.ReadUInt32LittleEndian(packet[4..]) == Crc32C.Hash(packet[HeaderSize..]);
}
