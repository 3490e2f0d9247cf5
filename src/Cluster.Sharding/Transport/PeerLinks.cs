using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Transport;

/// <summary>
/// A node's connections to all other members. Each node dials every other one, and sends over the connection that it dialled: so there are two
/// between each pair, and each carries messages one way. Messages to one member arrive in the order in which they were sent, once or, when the
/// connection is lost, not at all. Thread-safe.
/// </summary>
public sealed class PeerLinks : IAsyncDisposable
{
    private readonly PeerServices _services;
    private readonly PeerServer _server;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private readonly Dictionary<MemberId, Task> _leaving = [];
    private Dictionary<MemberId, Peer> _peers = [];
    private bool _disposed;
    private long _lastTick;
    private int _ticks;

    /// <summary>Listens; dials nobody and admits nobody before <see cref="SetPeers"/>.</summary>
    /// <param name="options">How.</param>
    /// <param name="handler">Is told what happens, perhaps before this returns.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Spreads attempts to connect; used by nobody else.</param>
    /// <exception cref="SocketException">The address cannot be listened on.</exception>
    /// <exception cref="IOException">A file of TLS cannot be read.</exception>
    /// <exception cref="CryptographicException">A file of TLS holds no certificate or key.</exception>
    public PeerLinks(PeerLinkOptions options, IPeerHandler handler, TimeProvider time, Random random)
    {
        _services = new PeerServices(options, handler, time, random, options.Tls is { } tls ? PeerTls.Load(tls) : null);
        _server = new PeerServer(_services, Find);
        _lastTick = time.GetTimestamp();
        _timer = time.CreateTimer(
            static links => ((PeerLinks)links!).Tick(), this, options.HeartbeatInterval, options.HeartbeatInterval);
    }

    /// <summary>Where this node listens.</summary>
    public IPEndPoint EndPoint => _server.EndPoint;

    /// <summary>The connections, now.</summary>
    public PeerLinksStatus Status => new([.. Volatile.Read(ref _peers).Values.Select(peer => peer.Status)], _server.Refused);

    /// <summary>
    /// Who else is in the cluster, this node left out: new ones are dialled, connections to and from those who are gone are ended after what
    /// waits was sent, if that takes no longer than a moment.
    /// </summary>
    public void SetPeers(IReadOnlyList<Member> members)
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            Dictionary<MemberId, Peer> peers = [];
            foreach (Member member in members)
            {
                if (member.Id == _services.Options.Self)
                {
                    continue;
                }

                if (!_peers.TryGetValue(member.Id, out Peer? peer))
                {
                    peer = new Peer(_services, member.Id, member.Address, _leaving.GetValueOrDefault(member.Id, Task.CompletedTask));
                }

                peer.Outgoing.Address = member.Address;
                peers[member.Id] = peer;
            }

            Dictionary<MemberId, Peer> before = _peers;
            Volatile.Write(ref _peers, peers);
            foreach (Peer peer in before.Values)
            {
                if (!peers.ContainsKey(peer.Id))
                {
                    Task leaving = Task.Run(async () => await peer.DisposeAsync());
                    _leaving[peer.Id] = leaving;
                    _ = ForgetAsync(peer.Id, leaving);
                }
            }
        }
    }

    /// <summary>Copies a message to the end of what waits for a member's connection.</summary>
    /// <param name="to">Who.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="shard">The shard that it is about.</param>
    /// <param name="id">The header's number.</param>
    /// <param name="payload">First part of the payload.</param>
    /// <param name="body">Second part; may be empty.</param>
    public PeerSend Send(
        MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body = default)
    {
        using PeerBatch batch = Batch(to);
        return batch.Send(kind, shard, id, payload, body);
    }

    /// <summary>Begins to send many messages to one member; to be disposed soon, by the same thread.</summary>
    public PeerBatch Batch(MemberId to) => new(Find(to)?.Outgoing.Outbox);

    /// <summary>Ends all connections, after what waits was sent, if that takes no longer than a moment.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] leaving;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            SetPeers([]);
            _disposed = true;
            leaving = [.. _leaving.Values];
        }

        await _server.DisposeAsync();
        await Task.WhenAll(leaving);
        await _timer.DisposeAsync();
    }

    private Peer? Find(MemberId member) => Volatile.Read(ref _peers).GetValueOrDefault(member);

    private async Task ForgetAsync(MemberId peer, Task leaving)
    {
        await leaving;
        lock (_lock)
        {
            if (_leaving.GetValueOrDefault(peer) == leaving)
            {
                _leaving.Remove(peer);
            }
        }
    }

    private void Tick()
    {
        if (Interlocked.Exchange(ref _ticks, 1) != 0)
        {
            return;
        }

        // A node that was stopped itself has heard nothing either: what came in meanwhile is read first.
        bool wasLate = _services.Time.GetElapsedTime(_lastTick) > 2 * _services.Options.HeartbeatInterval;
        _lastTick = _services.Time.GetTimestamp();
        foreach (Peer peer in Volatile.Read(ref _peers).Values)
        {
            peer.Tick(looksForSilence: !wasLate);
        }

        Volatile.Write(ref _ticks, 0);
    }
}
