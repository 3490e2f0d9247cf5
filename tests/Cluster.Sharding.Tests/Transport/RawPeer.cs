using System.Net;
using System.Net.Sockets;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Tests.Transport;

/// <summary>Speaks to a node byte by byte, as a broken peer or a stranger might.</summary>
internal sealed class RawPeer : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _socket;

    private RawPeer(Socket socket) => _socket = socket;

    public static PeerHandshake Hello(MemberId from, MemberId to) =>
        new(PeerPacketFormat.Version, "test", from, to, ShardCount: 16, MaxMessageBytes: 64 << 20, Problem: "");

    /// <summary>Connects to a node and says nothing.</summary>
    public static async Task<RawPeer> DialAsync(TestNode node)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(node.Links.EndPoint);
        return new RawPeer(socket);
    }

    /// <summary>Connects to a node and shakes hands.</summary>
    public static async Task<RawPeer> JoinAsync(TestNode node, MemberId self)
    {
        RawPeer peer = await DialAsync(node);
        await peer.SendAsync(Hello(self, node.Id).ToPacket());
        Assert.Equal("", (await peer.ReadHandshakeAsync()).Problem);
        return peer;
    }

    /// <summary>Waits for a node that connects, and shakes hands.</summary>
    public static async Task<RawPeer> AcceptAsync(TcpListener listener, MemberId self, Func<PeerHandshake, PeerHandshake>? change = null)
    {
        RawPeer peer = new(await listener.AcceptSocketAsync().WaitAsync(Patience));
        PeerHandshake hello = await peer.ReadHandshakeAsync();
        PeerHandshake answer = Hello(self, hello.From);
        await peer.SendAsync((change?.Invoke(answer) ?? answer).ToPacket());
        return peer;
    }

    public static TcpListener Listen()
    {
        TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return listener;
    }

    /// <summary>A packet with one message.</summary>
    public static byte[] Packet(ulong id, params byte[] payload)
    {
        byte[] packet = new byte[PeerPacketFormat.HeaderSize + PeerMessageHeader.Size + payload.Length];
        PeerPacketWriter.Write(packet, PeerPacketFormat.HeaderSize, PeerMessageKind.Deliver, 3, id, payload, []);
        PeerPacketFormat.WriteHeader(packet);
        return packet;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _socket.SendAsync(bytes);

    public async Task<PeerHandshake> ReadHandshakeAsync()
    {
        Assert.True(PeerHandshake.TryRead((await ReadPacketAsync()).AsSpan(PeerPacketFormat.HeaderSize), out PeerHandshake? handshake));
        return handshake;
    }

    /// <summary>The next packet, header included.</summary>
    public async Task<byte[]> ReadPacketAsync()
    {
        byte[] header = new byte[PeerPacketFormat.HeaderSize];
        await FillAsync(header);
        byte[] packet = [.. header, .. new byte[PeerPacketFormat.ReadLength(header)]];
        await FillAsync(packet.AsMemory(PeerPacketFormat.HeaderSize));
        Assert.True(PeerPacketFormat.IsIntact(packet));
        return packet;
    }

    /// <summary>Reads until the node ends the connection; a reset counts.</summary>
    /// <returns>Bytes that came before.</returns>
    public async Task<int> ReadToEndAsync()
    {
        byte[] buffer = new byte[64 << 10];
        int total = 0;
        try
        {
            while (await _socket.ReceiveAsync(buffer).WaitAsync(Patience) is > 0 and int read)
            {
                total += read;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
        }

        return total;
    }

    public void Dispose() => _socket.Dispose();

    private async Task FillAsync(Memory<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int read = await _socket.ReceiveAsync(buffer).AsTask().WaitAsync(Patience);
            Assert.NotEqual(0, read);
            buffer = buffer[read..];
        }
    }
}
