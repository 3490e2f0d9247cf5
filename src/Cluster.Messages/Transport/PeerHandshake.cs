using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Cluster.Messages.Sharding;

namespace Cluster.Messages.Transport;

/// <summary>
/// The first packet each way on a connection: who is there, whom it takes the other for, and of which cluster both are. The one who dialled
/// speaks first; the answer says with a <paramref name="Problem"/> that it will not talk.
/// <code>
/// magic 4, version 2, shards 4, largest message 4, incarnations 8 + 8,
/// then four texts, each 2 bytes of length and UTF-8: from, to, cluster, problem
/// </code>
/// Magic and version stand first in every version, so that others can be told apart and refused.
/// </summary>
/// <param name="Version">The speaker's <see cref="PeerPacketFormat.Version"/>; when it is another one, the rest is not there.</param>
/// <param name="Cluster">The cluster's name.</param>
/// <param name="From">The speaker.</param>
/// <param name="To">Whom it takes the other for.</param>
/// <param name="ShardCount">Shards in the cluster.</param>
/// <param name="MaxMessageBytes">The largest message that the speaker takes, header included.</param>
/// <param name="Problem">Why the speaker refuses the other; empty when it does not.</param>
public sealed record PeerHandshake(
    ushort Version, string Cluster, MemberId From, MemberId To, int ShardCount, int MaxMessageBytes, string Problem)
{
    /// <summary>The most bytes of a handshake, header of the packet included: what a stranger can make a node read.</summary>
    public const int MaxPacketSize = 2048;

    /// <summary>The most bytes of each text in it, in UTF-8; a longer problem is cut off.</summary>
    public const int MaxTextBytes = 400;

    private const uint Magic = 0x50534341;
    private const int FixedSize = 30;
    private const int VersionedFrom = 6;

    /// <summary>The packet, header included.</summary>
    /// <exception cref="ArgumentException">A name is longer than <see cref="MaxTextBytes"/>.</exception>
    public byte[] ToPacket()
    {
        byte[] packet = new byte[MaxPacketSize];
        Span<byte> bytes = packet.AsSpan(PeerPacketFormat.HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[4..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[6..], ShardCount);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[10..], MaxMessageBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[14..], From.Incarnation);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[22..], To.Incarnation);
        int length = FixedSize;
        WriteText(bytes, ref length, From.Node, mayCut: false);
        WriteText(bytes, ref length, To.Node, mayCut: false);
        WriteText(bytes, ref length, Cluster, mayCut: false);
        WriteText(bytes, ref length, Problem, mayCut: true);
        Array.Resize(ref packet, PeerPacketFormat.HeaderSize + length);
        PeerPacketFormat.WriteHeader(packet);
        return packet;
    }

    /// <summary>Reads the content of a packet.</summary>
    /// <returns>False when it is no handshake. One of another version has nothing but its version.</returns>
    public static bool TryRead(ReadOnlySpan<byte> content, [NotNullWhen(true)] out PeerHandshake? handshake)
    {
        handshake = null;
        if (content.Length < VersionedFrom || BinaryPrimitives.ReadUInt32LittleEndian(content) != Magic)
        {
            return false;
        }

        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(content[4..]);
        if (version != PeerPacketFormat.Version)
        {
            handshake = new PeerHandshake(version, "", default, default, 0, 0, "");
            return true;
        }

        if (content.Length < FixedSize)
        {
            return false;
        }

        int position = FixedSize;
        if (!TryReadText(content, ref position, out string? from) || !TryReadText(content, ref position, out string? to)
            || !TryReadText(content, ref position, out string? cluster) || !TryReadText(content, ref position, out string? problem)
            || position != content.Length || from.Length == 0 || to.Length == 0)
        {
            return false;
        }

        handshake = new PeerHandshake(
            version,
            cluster,
            new MemberId(from, BinaryPrimitives.ReadUInt64LittleEndian(content[14..])),
            new MemberId(to, BinaryPrimitives.ReadUInt64LittleEndian(content[22..])),
            BinaryPrimitives.ReadInt32LittleEndian(content[6..]),
            BinaryPrimitives.ReadInt32LittleEndian(content[10..]),
            problem);
        return true;
    }

    /// <summary>
    /// Why one who says this cannot talk with one who says <paramref name="other"/>, in words for the other's log; null when it can.
    /// </summary>
    /// <param name="other">What the other said.</param>
    public string? ProblemWith(PeerHandshake other) =>
        other.Version != Version ? $"this node speaks protocol version {Version}, not {other.Version}: run the same release on all nodes"
        : other.Cluster != Cluster ? $"this node belongs to cluster \"{Cluster}\", not \"{other.Cluster}\" (cluster.name)"
        : other.ShardCount != ShardCount ? $"this cluster has {ShardCount} shards, not {other.ShardCount} (cluster.shards)"
        : other.To != From ? $"this node is {From}, not {other.To}"
        : null;

    private static void WriteText(Span<byte> bytes, ref int position, string text, bool mayCut)
    {
        Span<byte> room = bytes.Slice(position + 2, MaxTextBytes);
        bool fits = Encoding.UTF8.TryGetBytes(text, room, out int length);
        if (!fits && !mayCut)
        {
            throw new ArgumentException($"longer than {MaxTextBytes} bytes: {text}", nameof(text));
        }

        if (!fits)
        {
            // At most 3 bytes a UTF-16 unit; a surrogate cut in two becomes a question mark.
            length = Encoding.UTF8.GetBytes(text.AsSpan(0, MaxTextBytes / 3), room);
        }

        BinaryPrimitives.WriteUInt16LittleEndian(bytes[position..], (ushort)length);
        position += 2 + length;
    }

    private static bool TryReadText(ReadOnlySpan<byte> bytes, ref int position, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (bytes.Length - position < 2)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16LittleEndian(bytes[position..]);
        position += 2;
        if (length > MaxTextBytes || length > bytes.Length - position)
        {
            return false;
        }

        text = Encoding.UTF8.GetString(bytes.Slice(position, length));
        if (text.Any(char.IsControl))
        {
            // It may come from a stranger, and goes to the log.
            text = string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
        }

        position += length;
        return true;
    }
}
