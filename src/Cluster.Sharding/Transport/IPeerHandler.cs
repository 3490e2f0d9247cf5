using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Transport;

/// <summary>
/// What is told of connections to peers. Called on threads of the thread pool, for one peer and direction by one at a time and in order:
/// connected, packets, disconnected. Must not block: while it works, nothing else is read from that peer.
/// </summary>
public interface IPeerHandler
{
    /// <summary>
    /// A packet of a peer, whose messages are whole and in the order in which they were sent. It is valid during the call; whoever keeps it
    /// calls <see cref="PeerPacket.Retain"/> before this returns, and <see cref="PeerPacket.Release"/> when done.
    /// </summary>
    void OnPacket(MemberId from, PeerPacket packet);

    /// <summary>There is a connection. Of what was under way to or from this peer before, it is not known whether it arrived.</summary>
    void OnConnected(MemberId peer, PeerDirection direction);

    /// <summary>A connection was lost, with whatever was on it. An outgoing one is tried again by itself as long as the peer is a member.</summary>
    void OnDisconnected(MemberId peer, PeerDirection direction, string problem);

    /// <summary>Something for the log: a peer that cannot be reached or that refuses (once until that changes), a stranger who was refused
    /// (at most one a second).</summary>
    /// <param name="who">A peer or an address.</param>
    /// <param name="problem">What is wrong with it.</param>
    void OnProblem(string who, string problem);
}

/// <summary>Which of the two connections between a pair of nodes.</summary>
public enum PeerDirection
{
    /// <summary>The one that this node dialled: it carries this node's messages.</summary>
    Outgoing = 0,

    /// <summary>The one that the peer dialled: it carries the peer's messages.</summary>
    Incoming = 1,
}

/// <summary>What became of a message that was to be sent.</summary>
public enum PeerSend
{
    /// <summary>It waits for its turn on the connection. It is lost if that is.</summary>
    Queued = 0,

    /// <summary>There is no connection to that member.</summary>
    NotConnected = 1,

    /// <summary>As much as may be waits already.</summary>
    Busy = 2,

    /// <summary>It is larger than the peer takes. Trying again will not help.</summary>
    TooLarge = 3,
}
