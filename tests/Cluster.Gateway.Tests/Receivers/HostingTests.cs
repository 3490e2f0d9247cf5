using System.Buffers;
using System.Net;
using Cluster.Gateway.Receivers.Hosting;
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
    [InlineData("localhost:65536")]
    [InlineData("localhost:otlp")]
    public void Resolve_NoAddressAndPort_Throws(string endpoint)
    {
        FormatException e = Assert.Throws<FormatException>(() => MakeDoor(endpoint).Resolve());

        Assert.Equal($"'{endpoint}' is not an address and a port, like localhost:4317", e.Message);
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

    private static Door MakeDoor(string endpoint) => new("test", endpoint, HttpProtocols.Http1, null, _ => Task.CompletedTask);
}
