using System.Net;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>How a node talks to the others.</summary>
public sealed record PeerLinkOptions
{
    /// <summary>This node.</summary>
    public required MemberId Self { get; init; }

    /// <summary>The cluster's name; nodes of another one are refused.</summary>
    public required string Cluster { get; init; }

    /// <summary>Shards in the cluster; nodes with another number are refused.</summary>
    public required int ShardCount { get; init; }

    /// <summary>Where peers connect; port 0 takes a free one.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>Mutual TLS; null for none.</summary>
    public PeerTlsOptions? Tls { get; init; }

    /// <summary>
    /// The largest message that is taken from a peer, header included, in bytes; a peer knows it and sends no larger one. Not less than a
    /// frame of <see cref="Cluster.Messages.Frames.FrameFormat.MaxLength"/> takes: what is larger can never be delivered.
    /// </summary>
    public int MaxMessageBytes { get; init; } = PeerPacketFormat.MaxMessageBytes;

    /// <summary>Bytes of messages that wait for a peer's connection. Answers to a peer's own messages have as much room again.</summary>
    public int MaxBufferedBytes { get; init; } = 32 << 20;

    /// <summary>Bytes received from one peer and not released, from which on nothing more is read from it.</summary>
    public int MaxUnreleasedBytes { get; init; } = 32 << 20;

    /// <summary>How often a connection on which nothing else is said carries an empty packet.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A connection on which nothing was heard for so long is dropped, at the next heartbeat.</summary>
    public TimeSpan SilenceLimit { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>For name look-up, connecting and handshake of one attempt.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>For the handshake of one who connects.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Connections whose handshake is not over; beyond it new ones are closed at once.</summary>
    public int MaxPendingHandshakes { get; init; } = 32;
}

/// <summary>
/// Mutual TLS between nodes, from PEM files. Whoever has a certificate that the CA signed may connect; names in it are not looked at, since who
/// is a member says the cluster store.
/// </summary>
public sealed record PeerTlsOptions
{
    /// <summary>PEM file of this node's certificate chain.</summary>
    public required string CertFile { get; init; }

    /// <summary>PEM file of its private key.</summary>
    public required string KeyFile { get; init; }

    /// <summary>PEM file of the CAs that sign nodes' certificates.</summary>
    public required string CaFile { get; init; }
}
