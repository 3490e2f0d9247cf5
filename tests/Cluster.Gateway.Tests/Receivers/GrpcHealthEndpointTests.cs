using System.Text;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Testing;

namespace Cluster.Gateway.Tests.Receivers;

public sealed class GrpcHealthEndpointTests
{
    private const string Check = "/grpc.health.v1.Health/Check";
    private const string Watch = "/grpc.health.v1.Health/Watch";
    private const string TraceService = "opentelemetry.proto.collector.trace.v1.TraceService";

    [Theory]
    [InlineData("", false, 2)]
    [InlineData("", true, 1)]
    [InlineData(TraceService, false, 2)]
    [InlineData(TraceService, true, 1)]
    public async Task Check_KnownService_FollowsReadiness(string service, bool ready, byte status)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Readiness.Set(ready);

        GrpcResult result = await client.CallAsync(Check, Request(service));

        Assert.Equal(0, result.Code);
        Assert.Equal([0, 0, 0, 0, 2, 8, status], result.Body);
    }

    [Fact]
    public async Task Check_UnknownService_IsNotFound()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.CallAsync(Check, Request("nobody"));

        Assert.Equal((200, 5, "unknown service", true), (result.HttpStatus, result.Code, result.Message, result.TrailersOnly));
    }

    [Fact]
    public async Task Check_Malformed_IsInvalidArgument()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.CallAsync(Check, new ByteArrayContent(GrpcTestClient.Frame([0x0A, 5, 1])));

        Assert.Equal((3, "malformed request: Truncated at byte 1"), (result.Code, result.Message));
    }

    [Fact]
    public async Task Watch_KnownService_StreamsChangesUntilTheClientLeaves()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        using HttpResponseMessage response = await WatchAsync(client, TraceService);
        Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, await NextAsync(stream));
        host.Readiness.Set(true);
        Assert.Equal(1, await NextAsync(stream));
        host.Readiness.Set(true);
        host.Readiness.Set(false);
        Assert.Equal(2, await NextAsync(stream));
        response.Dispose();

        // All places are free again.
        (await FillAsync(host, client)).ForEach(watch => watch.Dispose());
    }

    [Fact]
    public async Task Watch_UnknownService_SaysSoAndStaysOpen()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        using HttpResponseMessage response = await WatchAsync(client, "nobody");
        Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);

        Assert.Equal(3, await NextAsync(stream));
        Task<int> next = NextAsync(stream);
        host.Readiness.Set(true);
        Assert.Equal(0, (await client.CallAsync(Check, Request(""))).Code);
        Assert.False(next.IsCompleted);
    }

    [Fact]
    public async Task Watch_NodeStops_EndsWithUnavailable()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        using HttpResponseMessage response = await WatchAsync(client, "");
        Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, await NextAsync(stream));

        Task stopped = host.StopAsync();

        await AssertEndsAsync(stream);
        GrpcResult result = GrpcResult.Read(response, []);
        Assert.Equal((14, "the node is shutting down", false), (result.Code, result.Message, result.TrailersOnly));
        await stopped.WaitAsync(DoorHost.Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Watch_WithTimeout_EndsWithIt()
    {
        ManualTimeProvider time = new();
        await using DoorHost host = await DoorHost.StartAsync(time: time);
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        using HttpResponseMessage response = await client.SendAsync(
            Watch, Request(""), headers => headers.Add("grpc-timeout", "10S"), "application/grpc", CancellationToken.None);
        Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, await NextAsync(stream));

        time.Advance(TimeSpan.FromSeconds(11));

        await AssertEndsAsync(stream);
        Assert.Equal(4, GrpcResult.Read(response, []).Code);
    }

    [Fact]
    public async Task Watch_OneTooMany_IsRefused()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        List<HttpResponseMessage> watches = await FillAsync(host, client);
        GrpcResult result = await client.CallAsync(Watch, Request(""));

        Assert.Equal((8, $"more than {GrpcHealthEndpoint.MaxWatches} watches"), (result.Code, result.Message));
        watches.ForEach(watch => watch.Dispose());
    }

    /// <summary>Opens as many watches as there may be, after earlier ones have ended.</summary>
    private static async Task<List<HttpResponseMessage>> FillAsync(DoorHost host, GrpcTestClient client)
    {
        List<HttpResponseMessage> watches = [];
        await host.UntilAsync(it => it.Receiver.OpenWatches == 0);
        while (watches.Count < GrpcHealthEndpoint.MaxWatches)
        {
            HttpResponseMessage response = await WatchAsync(client, "");
            Assert.Equal(2, await NextAsync(await response.Content.ReadAsStreamAsync()));
            watches.Add(response);
        }

        return watches;
    }

    private static ByteArrayContent Request(string service)
    {
        byte[] name = Encoding.UTF8.GetBytes(service);
        return new ByteArrayContent(GrpcTestClient.Frame(name.Length == 0 ? [] : [0x0A, (byte)name.Length, .. name]));
    }

    private static Task<HttpResponseMessage> WatchAsync(GrpcTestClient client, string service) =>
        client.SendAsync(Watch, Request(service), null, "application/grpc", CancellationToken.None);

    private static async Task AssertEndsAsync(Stream stream) =>
        Assert.Equal(0, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(DoorHost.Patience));

    private static async Task<int> NextAsync(Stream stream)
    {
        byte[] message = new byte[7];
        await stream.ReadExactlyAsync(message).AsTask().WaitAsync(DoorHost.Patience);
        Assert.Equal([0, 0, 0, 0, 2, 8], message[..6]);
        return message[6];
    }
}
