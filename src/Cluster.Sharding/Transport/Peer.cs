using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Transport;

/// <summary>One other member: the connection to it, and the one from it when there is one.</summary>
internal sealed class Peer : IAsyncDisposable
{
    private readonly PeerServices _services;
    private readonly PeerCounters _counters = new();
    private readonly Lock _lock = new();
    private IncomingLink? _incoming;
    private Task _incomingEnded;
    private bool _leaves;

    /// <summary>Begins to connect. The handler hears of it after <paramref name="predecessor"/>, the same member's last stay, is over.</summary>
    public Peer(PeerServices services, MemberId id, string address, Task predecessor)
    {
        _services = services;
        _incomingEnded = predecessor;
        Id = id;
        Outgoing = new OutgoingLink(services, id, address, _counters, predecessor);
    }

    /// <summary>Who.</summary>
    public MemberId Id { get; }

    /// <summary>The connection to it.</summary>
    public OutgoingLink Outgoing { get; }

    /// <summary>Its connections and counters.</summary>
    public PeerLinkStatus Status => new(
        Id,
        Outgoing.Address,
        Outgoing.IsConnected,
        Volatile.Read(ref _incoming) is { Ended.IsCompleted: false },
        Outgoing.Outbox.BufferedBytes,
        Outgoing.Outbox.Refused,
        _counters.PacketsSent,
        _counters.MessagesSent,
        _counters.BytesSent,
        _counters.PacketsReceived,
        _counters.MessagesReceived,
        _counters.BytesReceived,
        _counters.Connects,
        _counters.Disconnects,
        _counters.FailedConnects,
        Outgoing.Problem);

    /// <summary>Takes a connection over that the peer made; the one before, which it must have lost, ends first.</summary>
    /// <returns>False when the peer is no member any more: the connection is the caller's.</returns>
    public bool TryAdmit(PeerConnection connection)
    {
        lock (_lock)
        {
            if (_leaves)
            {
                return false;
            }

            _incoming?.Abort("the peer has connected anew");
            _incoming = new IncomingLink(_services, Id, connection, _counters, _incomingEnded);
            _incomingEnded = _incoming.Ended;
            return true;
        }
    }

    /// <summary>Heartbeats.</summary>
    public void Tick(bool looksForSilence)
    {
        Outgoing.Tick(looksForSilence);
        Volatile.Read(ref _incoming)?.Tick(looksForSilence);
    }

    /// <summary>Ends both connections.</summary>
    public async ValueTask DisposeAsync()
    {
        Task incomingEnded;
        lock (_lock)
        {
            _leaves = true;
            _incoming?.Abort("it is no member any more");
            incomingEnded = _incomingEnded;
        }

        await Outgoing.DisposeAsync();
        await incomingEnded;
    }
}
