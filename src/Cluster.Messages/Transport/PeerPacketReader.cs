using System.Runtime.InteropServices;

namespace Cluster.Messages.Transport;

/// <summary>
/// Walks the messages of a packet in place: <c>while (reader.TryRead(out header, out payload))</c>. Every length is checked before it is
/// used. Payloads are valid as long as the bytes are.
/// </summary>
/// <param name="messages">What stands behind the header of a packet.</param>
public ref struct PeerPacketReader(ReadOnlySpan<byte> messages)
{
    private ReadOnlySpan<byte> _rest = messages;

    /// <summary>Whether the packet ends with bytes that are no whole message.</summary>
    public bool IsMalformed { get; private set; }

    /// <summary>How many messages a packet consists of; -1 when it does not. What is in their payloads is not looked at.</summary>
    public static int Count(ReadOnlySpan<byte> messages)
    {
        PeerPacketReader reader = new(messages);
        int count = 0;
        while (reader.TryRead(out _, out _))
        {
            count++;
        }

        return reader.IsMalformed ? -1 : count;
    }

    /// <summary>Reads the next message.</summary>
    /// <returns>False at the end, and where a message is cut off or its length is wrong.</returns>
    public bool TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (!MemoryMarshal.TryRead(_rest, out header))
        {
            IsMalformed |= !_rest.IsEmpty;
            return false;
        }

        if ((uint)header.Length > (uint)(_rest.Length - PeerMessageHeader.Size))
        {
            IsMalformed = true;
            return false;
        }

        payload = _rest.Slice(PeerMessageHeader.Size, header.Length);
        _rest = _rest[(PeerMessageHeader.Size + header.Length)..];
        return true;
    }
}
