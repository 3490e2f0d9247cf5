using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Transport;

/// <summary>The connections of a node, now; counters since its start.</summary>
/// <param name="Peers">Every other member.</param>
/// <param name="HandshakesRefused">Connections that came in and did not become a peer's.</param>
public sealed record PeerLinksStatus(IReadOnlyList<PeerLinkStatus> Peers, long HandshakesRefused);

/// <summary>The two connections to one peer, now; counters since it became a member.</summary>
/// <param name="Peer">Who.</param>
/// <param name="Address">Where it is dialled.</param>
/// <param name="IsConnected">Whether this node is connected to it.</param>
/// <param name="IsConnectedBack">Whether it is connected to this node.</param>
/// <param name="BufferedBytes">Bytes of messages that wait for the connection or are being written.</param>
/// <param name="NotQueued">Messages that were not sent for want of room, or as they were too large.</param>
/// <param name="PacketsSent">Packets with messages.</param>
/// <param name="MessagesSent">Messages in them.</param>
/// <param name="BytesSent">Bytes of these packets.</param>
/// <param name="PacketsReceived">Packets with messages.</param>
/// <param name="MessagesReceived">Messages in them.</param>
/// <param name="BytesReceived">Bytes of these packets.</param>
/// <param name="Connects">Connections made, both ways.</param>
/// <param name="Disconnects">Connections lost, both ways.</param>
/// <param name="FailedConnects">Attempts to connect to it that came to nothing.</param>
/// <param name="Problem">Why there is no connection to it; null when there is one, or none was tried yet.</param>
public sealed record PeerLinkStatus(
    MemberId Peer,
    string Address,
    bool IsConnected,
    bool IsConnectedBack,
    long BufferedBytes,
    long NotQueued,
    long PacketsSent,
    long MessagesSent,
    long BytesSent,
    long PacketsReceived,
    long MessagesReceived,
    long BytesReceived,
    long Connects,
    long Disconnects,
    long FailedConnects,
    string? Problem);

/// <summary>Counters of one peer. Each is written by one loop, or interlocked, and read by anyone.</summary>
internal sealed class PeerCounters
{
    public long PacketsSent;
    public long MessagesSent;
    public long BytesSent;
    public long PacketsReceived;
    public long MessagesReceived;
    public long BytesReceived;
    public long Connects;
    public long Disconnects;
    public long FailedConnects;
}
