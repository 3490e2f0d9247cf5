using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Cluster.Gateway.Receivers.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Gateway.Tests.Receivers;

public sealed class HostingTests
{
    [Theory]
    [InlineData("127.0.0.1:4317", "127.0.0.1:4317")]
    [InlineData("0.0.0.0:0", "0.0.0.0:0")]
    [InlineData("[::1]:4317", "[::1]:4317")]
    [InlineData("[::]:65535", "[::]:65535")]
    [InlineData("localhost:0", "127.0.0.1:0")]
    public void Resolve_Address_IsTaken(string endpoint, string address)
    {
        Assert.Equal(IPEndPoint.Parse(address), Assert.Single(MakeDoor(endpoint).Resolve()));
    }

    [Fact]
    public void Resolve_NoHost_IsEveryAddress()
    {
        IPEndPoint address = Assert.Single(MakeDoor(":4317").Resolve());

        Assert.True(address.Address.Equals(IPAddress.IPv6Any) || address.Address.Equals(IPAddress.Any));
        Assert.Equal(4317, address.Port);
    }

    [Theory]
    [InlineData("")]
    [InlineData("localhost")]
    [InlineData("4317")]
    [InlineData("localhost:")]
    [InlineData("localhost:-1")]
    [InlineData("localhost:+1")]
    [InlineData("localhost: 1")]
    [InlineData("localhost:65536")]
    [InlineData("localhost:otlp")]
    public void Resolve_NoAddressAndPort_Throws(string endpoint)
    {
        FormatException e = Assert.Throws<FormatException>(() => MakeDoor(endpoint).Resolve());

        Assert.Equal($"'{endpoint}' is not an address and a port, like localhost:4317", e.Message);
    }

    [Fact]
    public void Resolve_UnknownHost_ThrowsNamingIt()
    {
        IOException e = Assert.Throws<IOException>(() => MakeDoor("no-such-host.invalid:4317").Resolve());

        Assert.StartsWith("'no-such-host.invalid:4317': ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BoundAddresses_PortZero_AreTheRealOnes()
    {
        await using DoorHost host = await DoorHost.StartAsync();

        IPEndPoint grpc = Assert.Single(host.Receiver.Grpc!.BoundAddresses);
        IPEndPoint http = Assert.Single(host.Receiver.Http!.BoundAddresses);

        Assert.NotEqual(0, grpc.Port);
        Assert.NotEqual(0, http.Port);
        Assert.NotEqual(grpc.Port, http.Port);
        Assert.Equal($"http://127.0.0.1:{grpc.Port}/", host.Receiver.Grpc.Url.AbsoluteUri);
        Assert.Equal($"http://127.0.0.1:{grpc.Port}", host.Receiver.Grpc.ListeningUrl);
    }

    [Theory]
    [InlineData("0.0.0.0:0", "0.0.0.0", "127.0.0.1")]
    [InlineData("127.0.0.2:0", "127.0.0.2", "127.0.0.2")]
    public async Task ListeningUrl_AnyAddress_IsAsBoundWhileUrlCanBeReached(string endpoint, string bound, string reached)
    {
        Door door = MakeDoor(endpoint);
        await using WebApplication app = await StartAsync(kestrel => KestrelDoors.Listen(kestrel, door, 1));
        int port = Assert.Single(door.BoundAddresses).Port;

        Assert.Equal(($"http://{bound}:{port}", $"http://{reached}:{port}/"), (door.ListeningUrl, door.Url.AbsoluteUri));
    }

    [Fact]
    public async Task Listen_ADoorIsFull_AnotherStillAnswers()
    {
        Door full = MakeDoor("127.0.0.1:0");
        Door other = MakeDoor("127.0.0.1:0");
        await using WebApplication app = await StartAsync(kestrel =>
        {
            KestrelDoors.Listen(kestrel, full, 0);
            KestrelDoors.Listen(kestrel, other, 1);
        });
        using HttpClient client = new() { Timeout = DoorHost.Patience };

        Exception refused = await Assert.ThrowsAnyAsync<Exception>(() => client.GetAsync(full.Url));
        Assert.True(refused is HttpRequestException or SocketException, refused.ToString());
        using HttpResponseMessage response = await client.GetAsync(other.Url);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public void PinnedBlockPool_Rent_GivesBlocksOf32KibAndReusesThem()
    {
        using PinnedBlockPool pool = new();

        IMemoryOwner<byte> first = pool.Rent();
        IMemoryOwner<byte> second = pool.Rent(PinnedBlockPool.BlockSize);
        Assert.NotSame(first, second);
        Assert.Equal((32768, 32768), (first.Memory.Length, second.Memory.Length));
        first.Dispose();
        first.Dispose();

        Assert.Equal(1, pool.Kept);
        Assert.Same(first, pool.Rent());
        Assert.NotSame(first, pool.Rent());
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(PinnedBlockPool.BlockSize + 1));
    }

    [Fact]
    public void PinnedBlockPool_ManyBlocks_KeepsABoundedNumber()
    {
        using PinnedBlockPool pool = new();
        List<IMemoryOwner<byte>> blocks = [.. Enumerable.Range(0, PinnedBlockPool.KeptBlocks + 10).Select(_ => pool.Rent())];

        blocks.ForEach(block => block.Dispose());

        Assert.Equal(PinnedBlockPool.KeptBlocks, pool.Kept);
    }

    private static async Task<WebApplication> StartAsync(Action<KestrelServerOptions> configure)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(configure);
        WebApplication app = builder.Build();
        app.Run(KestrelDoors.DispatchAsync);
        await app.StartAsync();
        return app;
    }

    private static Door MakeDoor(string endpoint) => new("test", endpoint, HttpProtocols.Http1, null, _ => Task.CompletedTask);
}
