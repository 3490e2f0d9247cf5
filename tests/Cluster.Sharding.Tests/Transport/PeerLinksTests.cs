using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Tests.Transport;

/// <summary>Goal: between nodes that work, messages arrive whole and in order, and losses are told.</summary>
public sealed class PeerLinksTests
{
    [Fact]
    public async Task Send_BothWays_ArrivesAsItWasSent()
    {
        await using TestNode a = new("a");
        await using TestNode b = new("b", incarnation: ulong.MaxValue);
        await TestNode.ConnectAsync(a, b);

        Assert.Equal(PeerSend.Queued, a.Links.Send(b.Id, PeerMessageKind.Replicate, 15, 7, [1, 2], [3]));
        Assert.Equal(PeerSend.Queued, b.Links.Send(a.Id, PeerMessageKind.Delivered, 0, ulong.MaxValue, []));

        Received there = await b.ReceiveAsync();
        Assert.Equal((a.Id, PeerMessageKind.Replicate, 15, 7ul), (there.From, there.Kind, there.Shard, there.Id));
        Assert.Equal([1, 2, 3], there.Payload);
        Received back = await a.ReceiveAsync();
        Assert.Equal((b.Id, PeerMessageKind.Delivered, 0, ulong.MaxValue), (back.From, back.Kind, back.Shard, back.Id));
        Assert.Empty(back.Payload);
    }

    [Fact]
    public async Task Send_ManySmallMessagesFromManyThreads_ArriveInTheOrderOfEach()
    {
        const int Threads = 4;
        const int Each = 10_000;
        await using TestNode a = new("a");
        await using TestNode b = new("b");
        await TestNode.ConnectAsync(a, b);

        Task[] senders = [.. Enumerable.Range(0, Threads).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < Each;)
            {
                using PeerBatch batch = a.Links.Batch(b.Id);
                for (int run = 0; run < 7 && i < Each; run++, i++)
                {
                    Assert.Equal(PeerSend.Queued, batch.Send(PeerMessageKind.Delivered, thread, (ulong)i, [(byte)i]));
                }
            }
        }))];

        ulong[] next = new ulong[Threads];
        for (int i = 0; i < Threads * Each; i++)
        {
            Received message = await b.ReceiveAsync();
            Assert.Equal((next[message.Shard]++, (byte)message.Id), (message.Id, message.Payload[0]));
        }

        await Task.WhenAll(senders);
        PeerLinkStatus sent = Assert.Single(a.Links.Status.Peers);
        PeerLinkStatus received = Assert.Single(b.Links.Status.Peers);
        Assert.Equal(Threads * Each, received.MessagesReceived);
        Assert.Equal(Threads * Each * 17L + 8 * received.PacketsReceived, received.BytesReceived);
        Assert.InRange(received.PacketsReceived, 1, Threads * Each);
        Assert.Equal((0, 0), (sent.NotQueued, sent.Disconnects));
        Assert.Equal((true, true, null), (sent.IsConnected, sent.IsConnectedBack, sent.Problem));
    }

    [Fact]
    public async Task Send_AnySize_ArrivesIntact()
    {
        await using TestNode a = new("a");
        await using TestNode b = new("b");
        await TestNode.ConnectAsync(a, b);
        int[] sizes = [0, 1, 100_000, (128 << 10) - 24, (128 << 10) - 23, 3 << 20, 5, 20 << 20, 9, 131_072, 70_000, 70_000, 1];
        byte[] bytes = new byte[20 << 20];
        new Random(3).NextBytes(bytes);

        foreach (int size in sizes)
        {
            // Answers have room for twice as much.
            (int half, int rest) = (size / 3, size - size / 3);
            Assert.Equal(
                PeerSend.Queued, a.Links.Send(b.Id, PeerMessageKind.Answer, 1, (ulong)size, bytes.AsSpan(0, half), bytes.AsSpan(half, rest)));
        }

        foreach (int size in sizes)
        {
            Received message = await b.ReceiveAsync();
            Assert.Equal((ulong)size, message.Id);
            Assert.True(message.Payload.AsSpan().SequenceEqual(bytes.AsSpan(0, size)));
        }
    }

    [Fact]
    public async Task Send_LargerThanThePeerTakes_IsTooLarge()
    {
        await using TestNode a = new("a");
        await using TestNode b = new("b", options => options with { MaxMessageBytes = 200_000 });
        await TestNode.ConnectAsync(a, b);

        Assert.Equal(PeerSend.TooLarge, a.Links.Send(b.Id, PeerMessageKind.Deliver, 1, 1, new byte[200_000 - PeerMessageHeader.Size + 1]));
        Assert.Equal(PeerSend.Queued, a.Links.Send(b.Id, PeerMessageKind.Deliver, 1, 2, new byte[200_000 - PeerMessageHeader.Size]));
        Assert.Equal(2ul, (await b.ReceiveAsync()).Id);
        Assert.Equal(1, Assert.Single(a.Links.Status.Peers).NotQueued);
    }

    [Fact]
    public async Task Send_ToNobody_IsNotConnected()
    {
        await using TestNode a = new("a");
        Assert.Equal(PeerSend.NotConnected, a.Links.Send(new MemberId("x", 1), PeerMessageKind.Deliver, 1, 1, []));
        Assert.Equal(PeerSend.NotConnected, a.Links.Send(a.Id, PeerMessageKind.Deliver, 1, 1, []));
        using TcpListener listener = RawPeer.Listen();
        MemberId peer = new("b", 2);
        a.Links.SetPeers([a.Member, new Member(peer, listener.LocalEndpoint.ToString()!)]);
        Assert.Equal(PeerSend.NotConnected, a.Links.Send(peer, PeerMessageKind.Deliver, 1, 1, []));
    }

    [Fact]
    public async Task SetPeers_PeerGone_ArrivesWhatWaitedAndDisconnectsBothWays()
    {
        await using TestNode a = new("a");
        await using TestNode b = new("b");
        await TestNode.ConnectAsync(a, b);

        for (ulong id = 0; id < 100; id++)
        {
            a.Links.Send(b.Id, PeerMessageKind.Deliver, 1, id, new byte[10_000]);
        }

        a.Links.SetPeers([a.Member]);
        for (ulong id = 0; id < 100; id++)
        {
            Assert.Equal(id, (await b.ReceiveAsync()).Id);
        }

        await a.SeesAsync("b Outgoing lost");
        await a.SeesAsync("b Incoming lost");
        await b.SeesAsync("a Incoming lost");
        await b.SeesAsync("a Outgoing lost");
        Assert.Empty(a.Links.Status.Peers);
        await b.ComplainsAsync("it refuses this node: b/0000000000000001 is no member of the cluster that a/0000000000000001 knows of");

        a.Links.SetPeers([a.Member, b.Member]);
        await a.SeesAsync("b Outgoing connected");
        await a.SeesAsync("b Incoming connected");
    }

    [Fact]
    public async Task Peer_StartedAgainAtTheSameAddress_IsConnectedAnew()
    {
        await using TestNode a = new("a");
        TestNode b = new("b");
        await TestNode.ConnectAsync(a, b);
        IPEndPoint address = b.Links.EndPoint;
        await b.DisposeAsync();
        await a.SeesAsync("b Outgoing lost");
        await a.SeesAsync("b Incoming lost");
        Assert.Equal(PeerSend.NotConnected, a.Links.Send(b.Id, PeerMessageKind.Deliver, 1, 1, []));

        // The same process would come back as itself; a restarted one has another incarnation and is refused under the old name.
        await using TestNode other = new("b", options => options with { Listen = address }, incarnation: 2);
        await a.ComplainsAsync("it refuses this node: this node is b/0000000000000002, not b/0000000000000001");
        await other.ComplainsAsync("this node is b/0000000000000002, not b/0000000000000001");
        await TestNode.ConnectAsync(a, other);
        Assert.Equal(PeerSend.NotConnected, a.Links.Send(b.Id, PeerMessageKind.Deliver, 1, 1, []));
        Assert.Equal(PeerSend.Queued, a.Links.Send(other.Id, PeerMessageKind.Deliver, 1, 5, []));
        Assert.Equal(5ul, (await other.ReceiveAsync()).Id);
    }

    [Fact]
    public async Task Peer_ThatDropsTheConnection_IsConnectedAgain()
    {
        await using TestNode a = new("a");
        using TcpListener listener = RawPeer.Listen();
        MemberId peer = new("b", 2);
        a.Links.SetPeers([new Member(peer, listener.LocalEndpoint.ToString()!)]);
        for (int i = 0; i < 3; i++)
        {
            using RawPeer raw = await RawPeer.AcceptAsync(listener, peer);
            await a.SeesAsync("b Outgoing connected");
            Assert.Equal(PeerSend.Queued, a.Links.Send(peer, PeerMessageKind.Deliver, 1, (ulong)i, [9]));
            byte[] packet = await raw.ReadPacketAsync();
            Assert.Equal((ulong)i, BinaryPrimitives.ReadUInt64LittleEndian(packet.AsSpan(16)));
            raw.Dispose();
            await a.SeesAsync("b Outgoing lost");
        }

        PeerLinkStatus status = Assert.Single(a.Links.Status.Peers);
        Assert.Equal((3, 3), (status.Connects, status.Disconnects));
    }

    [Fact]
    public async Task Send_PeerThatDoesNotRead_IsBusyOnceTheBufferIsFullButForAnswers()
    {
        await using TestNode a = new("a", options => options with { MaxBufferedBytes = 1 << 20 });
        using TcpListener listener = RawPeer.Listen();
        MemberId peer = new("b", 2);
        a.Links.SetPeers([new Member(peer, listener.LocalEndpoint.ToString()!)]);
        using RawPeer raw = await RawPeer.AcceptAsync(listener, peer);
        await a.SeesAsync("b Outgoing connected");

        byte[] payload = new byte[50_000];
        int queued = 0;
        while (a.Links.Send(peer, PeerMessageKind.Replicate, 1, (ulong)queued, payload) == PeerSend.Queued)
        {
            Assert.True(++queued < 10_000);
        }

        PeerLinkStatus status = Assert.Single(a.Links.Status.Peers);
        Assert.InRange(status.BufferedBytes, 0, 1 << 20);
        Assert.True(status.NotQueued >= 1);
        Assert.Equal(PeerSend.Queued, a.Links.Send(peer, PeerMessageKind.Delivered, 1, 1, [0]));

        // Everything that was queued comes, in order.
        for (int next = 0; next < queued;)
        {
            byte[] packet = await raw.ReadPacketAsync();
            PeerPacketReader reader = new(packet.AsSpan(PeerPacketFormat.HeaderSize));
            while (reader.TryRead(out PeerMessageHeader header, out _))
            {
                Assert.True(header.Kind == PeerMessageKind.Delivered || header.Id == (ulong)next++);
            }
        }
    }

    [Fact]
    public async Task OnPacket_HandlerThatKeepsEverything_SlowsThePeerDownAndLosesNothing()
    {
        const int Messages = 400;
        await using TestNode a = new("a", options => options with { MaxBufferedBytes = 1 << 20 });
        await using TestNode b = new("b", options => options with { MaxUnreleasedBytes = 1 << 20 });
        List<PeerPacket> kept = [];
        TaskCompletionSource full = new();
        b.Takes = (_, packet) =>
        {
            lock (kept)
            {
                packet.Retain();
                kept.Add(packet);
                if (kept.Sum(p => p.Length) > 700_000)
                {
                    full.TrySetResult();
                }
            }
        };
        await TestNode.ConnectAsync(a, b);
        byte[] payload = new byte[100_000];
        int sent = 0;
        bool mayGo = false;
        ulong expected = 0;
        while (expected < Messages)
        {
            payload.AsSpan().Fill((byte)sent);
            if (sent < Messages && a.Links.Send(b.Id, PeerMessageKind.Deliver, 1, (ulong)sent, payload) == PeerSend.Queued)
            {
                sent++;
                continue;
            }

            if (!mayGo)
            {
                await full.Task.WaitAsync(TimeSpan.FromSeconds(20));
                mayGo = true;
            }

            List<PeerPacket> packets = [];
            lock (kept)
            {
                // Whatever else was read meanwhile, a packet that is kept does not change.
                Assert.InRange(kept.Sum(p => p.Length), 0, 2 << 20);
                packets.AddRange(kept);
                kept.Clear();
            }

            foreach (PeerPacket packet in packets)
            {
                PeerPacketReader reader = packet.Read();
                while (reader.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> bytes))
                {
                    Assert.Equal(expected++, header.Id);
                    Assert.False(bytes.ContainsAnyExcept((byte)header.Id));
                }

                packet.Release();
            }

            await Task.Yield();
        }
    }

    [Fact]
    public async Task Dispose_Connected_TellsTheOtherSideAtOnce()
    {
        await using TestNode a = new("a");
        TestNode b = new("b");
        await TestNode.ConnectAsync(a, b);
        b.Links.Send(a.Id, PeerMessageKind.Delivered, 1, 77, [0]);
        await b.DisposeAsync();
        await b.DisposeAsync();
        Assert.Equal(77ul, (await a.ReceiveAsync()).Id);
        await a.SeesAsync("b Outgoing lost");
        await a.SeesAsync("b Incoming lost");
        b.Links.SetPeers([a.Member]);
        Assert.Empty(b.Links.Status.Peers);
    }
}
