using System.Collections.Concurrent;
using System.Net;
using System.Threading.Channels;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Tests.Transport;

/// <summary>A message as it came in.</summary>
internal sealed record Received(MemberId From, PeerMessageKind Kind, int Shard, ulong Id, byte[] Payload);

/// <summary>The links of one node on loopback, with all that they say.</summary>
internal sealed class TestNode : IPeerHandler, IAsyncDisposable
{
    /// <summary>Far longer than anything here takes: only a failing test waits so long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Channel<Received> _messages = Channel.CreateUnbounded<Received>();
    private readonly Channel<string> _events = Channel.CreateUnbounded<string>();
    private readonly List<string> _seen = [];

    public TestNode(string name, Func<PeerLinkOptions, PeerLinkOptions>? change = null, TimeProvider? time = null, ulong incarnation = 1)
    {
        Id = new MemberId(name, incarnation);
        PeerLinkOptions options = new() { Self = Id, Cluster = "test", ShardCount = 16, Listen = new IPEndPoint(IPAddress.Loopback, 0) };
        Links = new PeerLinks(change?.Invoke(options) ?? options, this, time ?? TimeProvider.System, new Random(1));
    }

    public MemberId Id { get; }

    public PeerLinks Links { get; }

    public Member Member => new(Id, Links.EndPoint.ToString());

    /// <summary>Takes packets instead of the recording.</summary>
    public Action<MemberId, PeerPacket>? Takes { get; set; }

    /// <summary>Problems in words, all of them.</summary>
    public ConcurrentQueue<string> Problems { get; } = [];

    public static async Task ConnectAsync(params TestNode[] nodes)
    {
        foreach (TestNode node in nodes)
        {
            node.Links.SetPeers([.. nodes.Select(n => n.Member)]);
        }

        foreach (TestNode node in nodes)
        {
            foreach (TestNode other in nodes.Where(n => n != node))
            {
                await node.SeesAsync($"{other.Id.Node} Outgoing connected");
                await node.SeesAsync($"{other.Id.Node} Incoming connected");
            }
        }
    }

    /// <summary>The next message.</summary>
    public async Task<Received> ReceiveAsync() => await _messages.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    /// <summary>Waits until an event is there; others before it are kept for later. One waits at a time.</summary>
    public async Task SeesAsync(string expected)
    {
        using CancellationTokenSource late = new(Patience);
        while (true)
        {
            if (_seen.Remove(expected))
            {
                return;
            }

            try
            {
                _seen.Add(await _events.Reader.ReadAsync(late.Token));
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"waited for \"{expected}\"; seen: {string.Join(", ", _seen)}; problems: {string.Join(", ", Problems)}");
            }
        }
    }

    /// <summary>Waits for a problem in words.</summary>
    public async Task ComplainsAsync(string part)
    {
        while (true)
        {
            if (Problems.Any(p => p.Contains(part, StringComparison.Ordinal)))
            {
                return;
            }

            await SeesAsync("problem");
        }
    }

    /// <summary>Waits until so many attempts to connect to the one peer have failed.</summary>
    public async Task FailsAsync(int times)
    {
        for (long began = Environment.TickCount64; Links.Status.Peers[0].FailedConnects < times;)
        {
            Assert.True(Environment.TickCount64 - began < Patience.TotalMilliseconds);
            await Task.Yield();
        }
    }

    public ValueTask DisposeAsync() => Links.DisposeAsync();

    public void OnPacket(MemberId from, PeerPacket packet)
    {
        if (Takes is { } takes)
        {
            takes(from, packet);
            return;
        }

        PeerPacketReader reader = packet.Read();
        while (reader.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload))
        {
            _messages.Writer.TryWrite(new Received(from, header.Kind, header.Shard, header.Id, payload.ToArray()));
        }
    }

    public void OnConnected(MemberId peer, PeerDirection direction) => _events.Writer.TryWrite($"{peer.Node} {direction} connected");

    public void OnDisconnected(MemberId peer, PeerDirection direction, string problem)
    {
        Problems.Enqueue($"{direction} {peer}: {problem}");
        _events.Writer.TryWrite($"{peer.Node} {direction} lost");
        _events.Writer.TryWrite("problem");
    }

    public void OnProblem(string who, string problem)
    {
        Problems.Enqueue($"{who}: {problem}");
        _events.Writer.TryWrite("problem");
    }
}
