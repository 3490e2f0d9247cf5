using System.Net.Http.Headers;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Messages.Sharding;
using Cluster.Testing;

namespace Cluster.Gateway.Tests.Receivers;

/// <summary>Clients that are slow, silent, impatient or gone; on a clock that the test moves.</summary>
public sealed class GrpcDeadlineTests
{
    private static readonly byte[] Message = Bytes.Noise(1000);

    [Fact]
    public async Task Export_SilentClient_TimesOutAfterBodyTimeoutHoldingNothing()
    {
        ManualTimeProvider time = new();
        await using DoorHost host = await DoorHost.StartAsync(time: time);
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        PiecewiseContent content = new();

        Task<GrpcResult> call = client.CallAsync(OtlpGrpcEndpoint.ExportPath, content);
        await host.UntilAsync(it => it.Time!.ActiveTimers == 1);
        Assert.Equal(0, host.InFlight.Held);
        time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.False(call.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));

        GrpcResult result = await call;
        Assert.Equal((4, "the body did not arrive in time (limits.body_timeout)"), (result.Code, result.Message));
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.TimedOut]);
        Assert.Equal(0, time.ActiveTimers);
        content.End();
    }

    [Fact]
    public async Task Export_ClientAnnouncesMuchAndSendsLittle_HoldsLittleAndTimesOut()
    {
        ManualTimeProvider time = new();
        await using DoorHost host = await DoorHost.StartAsync(time: time);
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        PiecewiseContent content = new();

        Task<GrpcResult> call = client.CallAsync(OtlpGrpcEndpoint.ExportPath, content);
        await content.SendAsync(0, 0, 0x40, 0, 0, 1, 2, 3);
        await host.UntilAsync(it => it.InFlight.Held > 0);
        Assert.Equal(4096, host.InFlight.Held);
        await host.UntilAsync(it => it.Time!.ActiveTimers == 1);
        time.Advance(TimeSpan.FromSeconds(31));

        Assert.Equal(4, (await call).Code);
        await host.UntilAsync(it => it.InFlight.Held == 0);
        content.End();
    }

    [Theory]
    [InlineData("500m", 500)]
    [InlineData("2S", 2000)]
    [InlineData("1M", 60_000)]
    [InlineData("1500000u", 1500)]
    [InlineData("99999999n", 100)]
    public async Task Export_DeliveryLastsTooLong_EndsWithTheClientsDeadline(string header, int milliseconds)
    {
        ManualTimeProvider time = new();
        await using DoorHost host = await DoorHost.StartAsync(time: time);
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        TaskCompletionSource delivering = new(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Consumer.Answer = async (_, cancellation) =>
        {
            delivering.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            return default;
        };

        Task<GrpcResult> call = client.ExportAsync(Message, headers => headers.Add("grpc-timeout", header));
        await delivering.Task.WaitAsync(DoorHost.Patience, TestContext.Current.CancellationToken);
        await host.UntilAsync(it => it.Time!.ActiveTimers == 1);
        time.Advance(TimeSpan.FromMilliseconds(milliseconds - 1));
        Assert.False(call.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(2));

        GrpcResult result = await call;
        Assert.Equal((200, 4, "deadline exceeded"), (result.HttpStatus, result.Code, result.Message));
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.TimedOut]);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Fact]
    public async Task Export_BodySlowerThanTheClientsDeadline_EndsWithIt()
    {
        ManualTimeProvider time = new();
        await using DoorHost host = await DoorHost.StartAsync(time: time);
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        PiecewiseContent content = new();

        Task<GrpcResult> call = client.CallAsync(OtlpGrpcEndpoint.ExportPath, content, headers => headers.Add("grpc-timeout", "5S"));
        await host.UntilAsync(it => it.Time!.ActiveTimers == 1);
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.Equal((4, "deadline exceeded"), ((await call).Code, (await call).Message));
        content.End();
    }

    [Fact]
    public async Task Export_DeadlineOfZero_IsExceeded()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Answer = (_, cancellation) => ValueTask.FromException<IntakeOutcome>(new OperationCanceledException(cancellation));

        Assert.Equal(4, (await client.ExportAsync(Message, headers => headers.Add("grpc-timeout", "0m"))).Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("S")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData("1s")]
    [InlineData("1.5S")]
    [InlineData("123456789S")]
    public async Task Export_MalformedTimeout_IsInternal(string header)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.ExportAsync(Message, headers => headers.TryAddWithoutValidation("grpc-timeout", header));

        Assert.Equal((13, "malformed grpc-timeout"), (result.Code, result.Message));
    }

    [Fact]
    public async Task Export_LongestTimeout_IsTaken()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        Assert.Equal(0, (await client.ExportAsync(Message, headers => headers.Add("grpc-timeout", "99999999H"))).Code);
    }

    [Fact]
    public async Task Export_ClientLeavesInsideItsBody_IsCountedAndNothingIsHeld()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        PiecewiseContent content = new();
        using CancellationTokenSource leave = new();

        Task<HttpResponseMessage> call = client.SendAsync(OtlpGrpcEndpoint.ExportPath, content, null, "application/grpc", leave.Token);
        await content.SendAsync(0, 0, 0, 1, 0, 1, 2, 3);
        await host.UntilAsync(it => it.InFlight.Held > 0);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        await host.UntilAsync(it => it.Grpc.Requests[RequestOutcome.ClientGone] == 1);
        await host.UntilAsync(it => it.InFlight.Held == 0);
        Assert.Empty(host.Consumer.Requests);
        content.End();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Export_ClientLeavesDuringDelivery_CancelsIt(bool withTimeout)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        using CancellationTokenSource leave = new();
        TaskCompletionSource delivering = new(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Consumer.Answer = async (_, cancellation) =>
        {
            delivering.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            return default;
        };

        Task<HttpResponseMessage> call = client.SendAsync(
            OtlpGrpcEndpoint.ExportPath, new ByteArrayContent(GrpcTestClient.Frame(Message)), AddTimeout, "application/grpc", leave.Token);
        await delivering.Task.WaitAsync(DoorHost.Patience, TestContext.Current.CancellationToken);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        await host.UntilAsync(it => it.Grpc.Requests[RequestOutcome.ClientGone] == 1);
        await host.UntilAsync(it => it.InFlight.Held == 0);

        void AddTimeout(HttpRequestHeaders headers)
        {
            if (withTimeout)
            {
                headers.Add("grpc-timeout", "1H");
            }
        }
    }

    [Fact]
    public async Task Export_InFlightBytesUsedUp_IsRefusedUntilTheyAreGivenBack()
    {
        // Goal: the first request holds all there is while it is delivered; the second is refused, the third taken again.
        await using DoorHost host = await DoorHost.StartAsync(limits: new GatewayLimits { InFlightBytes = 300 << 10 });
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] large = Bytes.Noise(200 << 10);
        TaskCompletionSource delivering = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource<IntakeOutcome> delivered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Consumer.Answer = (_, _) =>
        {
            delivering.TrySetResult();
            return new ValueTask<IntakeOutcome>(delivered.Task);
        };

        Task<GrpcResult> first = client.ExportAsync(large);
        await delivering.Task.WaitAsync(DoorHost.Patience, TestContext.Current.CancellationToken);
        Assert.Equal(256 << 10, host.InFlight.Held);
        GrpcResult second = await client.ExportAsync(large);
        delivered.SetResult(IntakeOutcome.Taken(1, 0));
        Assert.Equal(0, (await first).Code);
        await host.UntilAsync(it => it.InFlight.Held == 0);
        GrpcResult third = await client.ExportAsync(large);

        Assert.Equal((8, "too many request bytes in flight (limits.in_flight_bytes)"), (second.Code, second.Message));
        Assert.NotNull(second.Details());
        Assert.Equal(1, host.Grpc.Refused[Refusal.InFlightBytes]);
        Assert.Equal(0, third.Code);
    }

    [Fact]
    public async Task Export_InflatedBytesPassTheInFlightLimit_IsRefused()
    {
        await using DoorHost host = await DoorHost.StartAsync(limits: new GatewayLimits { InFlightBytes = 300 << 10 });
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] compressed = Bytes.Gzip(new byte[1 << 20]);

        GrpcResult result = await client.CallAsync(
            OtlpGrpcEndpoint.ExportPath,
            new ByteArrayContent(GrpcTestClient.Frame(compressed, flag: 1)),
            headers => headers.Add("grpc-encoding", "gzip"));

        Assert.Equal(8, result.Code);
        Assert.Equal(1, host.Grpc.Refused[Refusal.InFlightBytes]);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }
}
