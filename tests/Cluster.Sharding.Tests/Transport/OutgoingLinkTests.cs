using System.Net;
using System.Net.Sockets;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Transport;

public sealed class OutgoingLinkTests
{
    private static readonly MemberId B = new("b", 2);

    [Theory]
    [InlineData(1, 0.0, 50)]
    [InlineData(1, 0.5, 100)]
    [InlineData(1, 1.0, 150)]
    [InlineData(2, 0.5, 200)]
    [InlineData(5, 0.5, 1600)]
    [InlineData(6, 0.5, 2000)]
    [InlineData(1_000_000, 0.0, 1000)]
    [InlineData(int.MaxValue, 1.0, 3000)]
    public void BackOff_AfterFailures_DoublesUpToTwoSecondsWithJitter(int failures, double sample, int milliseconds) =>
        Assert.Equal(milliseconds, OutgoingLink.BackOff(failures, sample).TotalMilliseconds);

    [Theory]
    [InlineData("10.0.0.7:4400", "10.0.0.7", 4400)]
    [InlineData("node-1.example:1", "node-1.example", 1)]
    [InlineData("[2001:db8::1]:65535", "2001:db8::1", 65535)]
    public void ParseAddress_HostAndPort_AreSplit(string address, string host, int port) =>
        Assert.Equal((host, port), PeerConnection.ParseAddress(address));

    [Theory]
    [InlineData("")]
    [InlineData("host")]
    [InlineData(":4400")]
    [InlineData("host:")]
    [InlineData("host:0")]
    [InlineData("host:65536")]
    [InlineData("host:-1")]
    [InlineData("host: 4")]
    public void ParseAddress_AnythingElse_IsNone(string address) =>
        Assert.Throws<FormatException>(() => PeerConnection.ParseAddress(address));

    [Fact]
    public async Task Connect_NobodyThere_IsSaidOnceAndTriedUntilThereIs()
    {
        await using TestNode a = new("a");
        using TcpListener listener = RawPeer.Listen();
        string address = listener.LocalEndpoint.ToString()!;
        listener.Stop();
        a.Links.SetPeers([new Member(B, address)]);
        await a.ComplainsAsync($"b/0000000000000002 at {address}: ");
        await a.FailsAsync(3);
        Assert.Single(a.Problems);
        using TcpListener again = new(IPEndPoint.Parse(address));
        again.Start();
        using RawPeer peer = await RawPeer.AcceptAsync(again, B);
        await a.SeesAsync("b Outgoing connected");
        Assert.Null(a.Links.Status.Peers[0].Problem);
    }

    [Fact]
    public async Task Connect_NobodyAnswers_IsGivenUpAfterThreeSeconds()
    {
        ManualTimeProvider time = new();
        await using TestNode a = new("a", time: time);
        using TcpListener listener = RawPeer.Listen();
        a.Links.SetPeers([new Member(B, listener.LocalEndpoint.ToString()!)]);
        using Socket silent = await listener.AcceptSocketAsync();
        time.Advance(TimeSpan.FromSeconds(3));
        await a.ComplainsAsync("no answer within 3 s");
    }

    [Fact]
    public async Task Connect_AddressThatIsNone_IsAProblemLikeAnyOther()
    {
        await using TestNode a = new("a");
        a.Links.SetPeers([new Member(B, "nowhere")]);
        await a.ComplainsAsync("\"nowhere\" is no address: host:port is");
    }
}
