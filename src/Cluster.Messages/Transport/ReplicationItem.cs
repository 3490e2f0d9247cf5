using System.Runtime.InteropServices;

namespace Cluster.Messages.Transport;

/// <summary>Reads the fixed parts of the messages between a primary and its copies, and shows them as bytes.</summary>
public static class ReplicationItem
{
    /// <summary>Reads the payload of <see cref="PeerMessageKind.Replicate"/>.</summary>
    /// <param name="payload">The payload.</param>
    /// <param name="header">Its first bytes.</param>
    /// <param name="body">The rest.</param>
    /// <returns>False when it is too short or of an unknown kind.</returns>
    public static bool TryRead(ReadOnlySpan<byte> payload, out ReplicationItemHeader header, out ReadOnlySpan<byte> body)
    {
        body = default;
        if (!MemoryMarshal.TryRead(payload, out header)
            || header.Kind is < ReplicationItemKind.Begin or > ReplicationItemKind.Decisions)
        {
            return false;
        }

        body = payload[ReplicationItemHeader.Size..];
        return true;
    }

    /// <summary>Reads the payload of <see cref="PeerMessageKind.Replicated"/>; false when it is too short.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, out ReplicationAnswer answer) => MemoryMarshal.TryRead(payload, out answer);

    /// <summary>The bytes of a header.</summary>
    public static ReadOnlySpan<byte> Bytes(in ReplicationItemHeader header) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<ReplicationItemHeader>(in header));

    /// <summary>The bytes of an answer.</summary>
    public static ReadOnlySpan<byte> Bytes(in ReplicationAnswer answer) => MemoryMarshal.AsBytes(new ReadOnlySpan<ReplicationAnswer>(in answer));
}
