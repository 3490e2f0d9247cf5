using System.Net.Sockets;
using System.Text;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Transport;

/// <summary>Goal: whoever is no member, and whatever a peer sends, costs no more than a connection.</summary>
public sealed class PeerStrangersTests
{
    private static readonly MemberId B = new("b", 2);

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc")]
    [InlineData("\0\0\0\0\0\0\0\0")]
    [InlineData("\u0010\0\0\0\0\0\0\0abcdefghijklmnop")]
    public async Task Garbage_FromAStranger_IsCutOff(string text)
    {
        await using TestNode a = new("a");
        using RawPeer stranger = await RawPeer.DialAsync(a);
        await stranger.SendAsync(Encoding.Latin1.GetBytes(text));
        Assert.Equal(0, await stranger.ReadToEndAsync());
        await a.ComplainsAsync("no node of a cluster");
        Assert.Equal(1, a.Links.Status.HandshakesRefused);
    }

    public static TheoryData<string, PeerHandshake, string> Wrong()
    {
        PeerHandshake right = RawPeer.Hello(B, new MemberId("a", 1));
        return new TheoryData<string, PeerHandshake, string>
        {
            { "cluster", right with { Cluster = "prod" }, "this node belongs to cluster \"test\", not \"prod\" (cluster.name)" },
            { "shards", right with { ShardCount = 128 }, "this cluster has 16 shards, not 128 (cluster.shards)" },
            { "incarnation", right with { To = new MemberId("a", 3) }, "this node is a/0000000000000001, not a/0000000000000003" },
            { "version", right with { Version = 2 }, "this node speaks protocol version 1, not 2: run the same release on all nodes" },
            { "member", right with { From = new MemberId("b", 3) }, "b/0000000000000003 is no member of the cluster that a/0000000000000001 knows of" },
        };
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Handshake_ThatDoesNotFit_IsRefusedWithTheReason(string what, PeerHandshake hello, string problem)
    {
        await using TestNode a = new("a");
        a.Links.SetPeers([a.Member, new Member(B, "127.0.0.1:1")]);
        using RawPeer raw = await RawPeer.DialAsync(a);
        await raw.SendAsync(hello.ToPacket());
        Assert.Equal(problem, (await raw.ReadHandshakeAsync()).Problem);
        Assert.Equal(0, await raw.ReadToEndAsync());
        await a.ComplainsAsync(problem);
        Assert.True(a.Links.Status.HandshakesRefused == 1, what);
    }

    [Fact]
    public async Task TwoClusters_ThatMeet_BothSayWhy()
    {
        await using TestNode a = new("a");
        await using TestNode b = new("b", options => options with { Cluster = "other" });
        a.Links.SetPeers([b.Member]);
        await a.ComplainsAsync("it refuses this node: this node belongs to cluster \"other\", not \"test\" (cluster.name)");
        await b.ComplainsAsync("a/0000000000000001 at 127.0.0.1");
        Assert.False(a.Links.Status.Peers[0].IsConnected);
        Assert.Contains("belongs to cluster", a.Links.Status.Peers[0].Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("who", "b/0000000000000009 answers there")]
    [InlineData("cluster", "this node refuses it: this node belongs to cluster \"test\", not \"x\"")]
    [InlineData("to", "this node refuses it: this node is a/0000000000000001, not z/0000000000000001")]
    [InlineData("version", "this node refuses it: this node speaks protocol version 1, not 9")]
    public async Task Answer_ThatDoesNotFit_IsNotTalkedTo(string what, string problem)
    {
        await using TestNode a = new("a");
        using TcpListener listener = RawPeer.Listen();
        a.Links.SetPeers([new Member(B, listener.LocalEndpoint.ToString()!)]);
        using RawPeer raw = await RawPeer.AcceptAsync(listener, B, answer => what switch
        {
            "who" => answer with { From = new MemberId("b", 9) },
            "cluster" => answer with { Cluster = "x" },
            "to" => answer with { To = new MemberId("z", 1) },
            _ => answer with { Version = 9 },
        });
        await a.ComplainsAsync(problem);
        Assert.Equal(0, a.Links.Status.Peers[0].Connects);
    }

    [Fact]
    public async Task Silence_BeforeTheHandshake_IsCutOffAfterFiveSeconds()
    {
        ManualTimeProvider time = new();
        await using TestNode a = new("a", time: time);
        using RawPeer stranger = await RawPeer.DialAsync(a);
        await stranger.SendAsync(new byte[] { 9 });

        // Its five seconds begin once the node has seen it.
        using RawPeer known = await RawPeer.DialAsync(a);
        await known.SendAsync(new byte[8]);
        await known.ReadToEndAsync();
        time.Advance(TimeSpan.FromSeconds(4.9));
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(0, await stranger.ReadToEndAsync());
        Assert.Equal(2, a.Links.Status.HandshakesRefused);
    }

    [Fact]
    public async Task Strangers_MoreThanMayBe_AreClosedAtOnceAndOthersComeWhenTheyAreGone()
    {
        await using TestNode a = new("a", options => options with { MaxPendingHandshakes = 2 });
        a.Links.SetPeers([new Member(B, "127.0.0.1:1")]);
        using RawPeer first = await RawPeer.DialAsync(a);
        using RawPeer second = await RawPeer.DialAsync(a);
        using RawPeer third = await RawPeer.DialAsync(a);
        Assert.Equal(0, await third.ReadToEndAsync());
        await a.ComplainsAsync("more than 2 handshakes at once");

        // The place of the first one is free as soon as the node sees that it is gone.
        first.Dispose();
        RawPeer? raw = null;
        for (int i = 0; i < 1000 && raw is null; i++)
        {
            RawPeer attempt = await RawPeer.DialAsync(a);
            try
            {
                await attempt.SendAsync(RawPeer.Hello(B, a.Id).ToPacket());
                Assert.Equal("", (await attempt.ReadHandshakeAsync()).Problem);
                raw = attempt;
            }
            catch (Exception e) when (e is SocketException or Xunit.Sdk.XunitException)
            {
                attempt.Dispose();
            }
        }

        await a.SeesAsync("b Incoming connected");
        raw!.Dispose();
    }

    public static TheoryData<string, byte[], string> Broken()
    {
        byte[] good = RawPeer.Packet(5, 1, 2, 3, 4);
        byte[] flipped = [.. good];
        flipped[^1] ^= 1;
        byte[] cutMessage = [.. good];
        cutMessage[12] = 5;
        PeerPacketFormat.WriteHeader(cutMessage);
        byte[] tooLong = new byte[8];
        BitConverter.TryWriteBytes(tooLong, (64 << 20) + 1);
        byte[] negative = new byte[8];
        BitConverter.TryWriteBytes(negative, -1);
        return new TheoryData<string, byte[], string>
        {
            { "checksum", flipped, "it sent a packet that is damaged" },
            { "message", cutMessage, "it sent a packet that is damaged" },
            { "length", tooLong, "it sent a packet of 67108865 bytes; 67108864 is the limit" },
            { "negative", negative, "it sent a packet of 4294967295 bytes; 67108864 is the limit" },
        };
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task Packet_ThatIsBroken_EndsTheConnectionAfterWhatCameBefore(string what, byte[] packet, string problem)
    {
        await using TestNode a = new("a");
        a.Links.SetPeers([new Member(B, "127.0.0.1:1")]);
        using RawPeer raw = await RawPeer.JoinAsync(a, B);
        await raw.SendAsync((byte[])[.. RawPeer.Packet(1, 7), .. packet, .. RawPeer.Packet(2)]);
        await raw.ReadToEndAsync();
        await a.SeesAsync("b Incoming lost");
        await a.ComplainsAsync(problem);
        Assert.Equal(1ul, (await a.ReceiveAsync()).Id);
        Assert.True(Assert.Single(a.Links.Status.Peers).MessagesReceived == 1, what);
    }

    [Fact]
    public async Task Peer_KilledInTheMiddleOfAPacket_LosesThatPacketOnly()
    {
        await using TestNode a = new("a");
        a.Links.SetPeers([new Member(B, "127.0.0.1:1")]);
        byte[] packet = RawPeer.Packet(2, new byte[1000]);
        foreach (int cut in new[] { 1, 7, 8, 9, 500, packet.Length - 1 })
        {
            using RawPeer raw = await RawPeer.JoinAsync(a, B);
            await a.SeesAsync("b Incoming connected");
            await raw.SendAsync((byte[])[.. RawPeer.Packet((ulong)cut, 7), .. packet.AsSpan(0, cut)]);
            Assert.Equal((ulong)cut, (await a.ReceiveAsync()).Id);
            raw.Dispose();
            await a.SeesAsync("b Incoming lost");
        }

        Assert.Equal(6, Assert.Single(a.Links.Status.Peers).MessagesReceived);
    }

    [Fact]
    public async Task Packets_InPiecesOfAnySize_AreReadWhole()
    {
        await using TestNode a = new("a");
        a.Links.SetPeers([new Member(B, "127.0.0.1:1")]);
        using RawPeer raw = await RawPeer.JoinAsync(a, B);
        Random random = new(5);
        List<byte> stream = [];
        int[] sizes = [.. Enumerable.Range(0, 200).Select(i => i % 40 == 0 ? random.Next(300_000) : random.Next(3000))];
        for (int i = 0; i < sizes.Length; i++)
        {
            byte[] payload = new byte[sizes[i]];
            payload.AsSpan().Fill((byte)i);
            stream.AddRange(RawPeer.Packet((ulong)i, payload));
            if (i % 3 == 0)
            {
                stream.AddRange(new byte[8]);
            }
        }

        byte[] bytes = [.. stream];
        Task sending = Task.Run(async () =>
        {
            for (int sent = 0; sent < bytes.Length;)
            {
                int piece = Math.Min(random.Next(1, 9000), bytes.Length - sent);
                await raw.SendAsync(bytes.AsMemory(sent, piece));
                sent += piece;
            }
        });
        for (int i = 0; i < sizes.Length; i++)
        {
            Received message = await a.ReceiveAsync();
            Assert.Equal(((ulong)i, sizes[i]), (message.Id, message.Payload.Length));
            Assert.False(message.Payload.AsSpan().ContainsAnyExcept((byte)i));
        }

        await sending;
        Assert.Equal(200, Assert.Single(a.Links.Status.Peers).PacketsReceived);
    }

    [Fact]
    public async Task Peer_ThatConnectsAnew_TakesThePlaceOfItsOldConnection()
    {
        await using TestNode a = new("a");
        a.Links.SetPeers([new Member(B, "127.0.0.1:1")]);
        using RawPeer old = await RawPeer.JoinAsync(a, B);
        await a.SeesAsync("b Incoming connected");
        using RawPeer fresh = await RawPeer.JoinAsync(a, B);
        await a.SeesAsync("b Incoming lost");
        await a.SeesAsync("b Incoming connected");
        await old.ReadToEndAsync();
        await fresh.SendAsync(RawPeer.Packet(8));
        Assert.Equal(8ul, (await a.ReceiveAsync()).Id);
    }

    [Fact]
    public async Task Connections_WithoutTraffic_CarryHeartbeatsEachWay()
    {
        ManualTimeProvider time = new();
        await using TestNode a = new("a", options => options with { SilenceLimit = TimeSpan.FromSeconds(6) }, time);
        using TcpListener listener = RawPeer.Listen();
        a.Links.SetPeers([new Member(B, listener.LocalEndpoint.ToString()!)]);
        using RawPeer outgoing = await RawPeer.AcceptAsync(listener, B);
        await a.SeesAsync("b Outgoing connected");
        using RawPeer incoming = await RawPeer.JoinAsync(a, B);
        await a.SeesAsync("b Incoming connected");
        for (int second = 0; second < 15; second++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            Assert.Equal(new byte[8], await outgoing.ReadPacketAsync());
            Assert.Equal(new byte[8], await incoming.ReadPacketAsync());

            // What the node has read of this is seen by what comes after it.
            await outgoing.SendAsync(new byte[8]);
            await incoming.SendAsync((byte[])[.. new byte[8], .. RawPeer.Packet((ulong)second)]);
            Assert.Equal((ulong)second, (await a.ReceiveAsync()).Id);
            if (second % 3 == 0)
            {
                // A second in which something was said needs no heartbeat.
                a.Links.Send(B, PeerMessageKind.Deliver, 1, 1, [1]);
                Assert.Equal(25, (await outgoing.ReadPacketAsync()).Length);
                time.Advance(TimeSpan.FromSeconds(1));
                Assert.Equal(new byte[8], await incoming.ReadPacketAsync());
            }
        }

        Assert.Equal(0, a.Links.Status.Peers[0].Disconnects);
    }

    [Fact]
    public async Task Peer_ThatSaysNothing_IsDroppedBothWays()
    {
        ManualTimeProvider time = new();
        await using TestNode a = new("a", time: time);
        using TcpListener listener = RawPeer.Listen();
        a.Links.SetPeers([new Member(B, listener.LocalEndpoint.ToString()!)]);
        using RawPeer outgoing = await RawPeer.AcceptAsync(listener, B);
        await a.SeesAsync("b Outgoing connected");
        using RawPeer incoming = await RawPeer.JoinAsync(a, B);
        await a.SeesAsync("b Incoming connected");
        for (int second = 0; second < 4; second++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
        }

        await a.SeesAsync("b Outgoing lost");
        await a.SeesAsync("b Incoming lost");
        await a.ComplainsAsync("nothing was heard for 3 s");
    }

    [Fact]
    public async Task Peer_ThatSendsWhatIsNoHeartbeat_IsDropped()
    {
        await using TestNode a = new("a");
        using TcpListener listener = RawPeer.Listen();
        a.Links.SetPeers([new Member(B, listener.LocalEndpoint.ToString()!)]);
        using RawPeer raw = await RawPeer.AcceptAsync(listener, B);
        await a.SeesAsync("b Outgoing connected");
        await raw.SendAsync(RawPeer.Packet(1));
        await a.SeesAsync("b Outgoing lost");
        await a.ComplainsAsync("it sent what is no heartbeat");
    }

    [Fact]
    public async Task Links_ThatWereStoppedThemselves_DropNobody()
    {
        JumpingClock time = new();
        await using TestNode a = new("a", time: time);
        a.Links.SetPeers([new Member(B, "127.0.0.1:1")]);
        using RawPeer incoming = await RawPeer.JoinAsync(a, B);
        await a.SeesAsync("b Incoming connected");
        time.Jump(TimeSpan.FromSeconds(30));
        Assert.Equal(new byte[8], await incoming.ReadPacketAsync());
        await incoming.SendAsync(RawPeer.Packet(4));
        Assert.Equal(4ul, (await a.ReceiveAsync()).Id);
        Assert.Equal(0, a.Links.Status.Peers[0].Disconnects);
    }

    /// <summary>A clock that goes on while nobody runs: only the next timer that fires sees how late it is.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private readonly ManualTimeProvider _clock = new();
        private long _jumped;

        public override long TimestampFrequency => _clock.TimestampFrequency;

        public void Jump(TimeSpan by)
        {
            Interlocked.Add(ref _jumped, by.Ticks);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        public override long GetTimestamp() => _clock.GetTimestamp() + Interlocked.Read(ref _jumped);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            _clock.CreateTimer(callback, state, dueTime, period);
    }
}
