using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests;

/// <summary>A temporary error downstream loses no kept trace.</summary>
public sealed class BackendFailureTests
{
    private const int Traces = 40;
    private static readonly string[] Kept = [.. Enumerable.Range(1, Traces).Where(trace => trace % 2 == 0).Select(Id)];

    [Theory]
    [InlineData(Exporter.Grpc, 200)]
    [InlineData(Exporter.HttpProtobuf, 1000)]
    [InlineData(Exporter.HttpJson, 1000)]
    public async Task Backend_UnavailableThenAvailable_GetsEveryKeptTraceOnce(Exporter exporter, int retryAfterMs)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        backend.Answer = BackendAnswer.Unavailable(TimeSpan.FromMilliseconds(retryAfterMs));
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter) { DecisionWait = "500ms" });
        ExportTraceServiceRequest request = await SendAsync(node);
        await Eventually.HoldsAsync(() => backend.Attempts >= 2, () => $"the exporter tried again; attempts: {backend.Attempts}");
        backend.Answer = BackendAnswer.Accept;
        await AssertAllArriveAsync(node, backend, request);
    }

    [Theory]
    [InlineData(Exporter.GrpcGzip)]
    [InlineData(Exporter.HttpProtobuf)]
    public async Task Backend_DownThenUp_GetsEveryKeptTraceOnce(Exporter exporter)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter) { DecisionWait = "500ms" });
        await backend.GoDownAsync();
        ExportTraceServiceRequest request = await SendAsync(node);
        await node.WaitForStateAsync("sampled", Kept);
        await backend.ComeUpAsync();
        await AssertAllArriveAsync(node, backend, request);
    }

    [Fact]
    public async Task Backend_DownBetweenTwoTraces_GetsBothOverNewConnections()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "200ms" });
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        ExportTraceServiceRequest before = new TraceBuilder().Span(1, 1).Error().Build();
        ExportTraceServiceRequest after = new TraceBuilder().Span(2, 1).Error().Build();
        await sender.SendAsync(before);
        await backend.WaitForAsync([before], [Id(1)]);
        await backend.GoDownAsync();
        await sender.SendAsync(after);
        await node.WaitForStateAsync("sampled", Id(2));
        await backend.ComeUpAsync();
        await backend.WaitForAsync([after], [Id(2)]);
        Delivery.AssertKept([before, after], [Id(1), Id(2)], backend.Received);
    }

    [Fact]
    public async Task Backend_SilentThenAnswering_GetsEveryKeptTraceOnce()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        backend.Answer = BackendAnswer.Hang;
        NodeSettings settings = new(backend) { DecisionWait = "500ms", ExportTimeout = "1s" };
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        ExportTraceServiceRequest request = await SendAsync(node);
        await Eventually.HoldsAsync(() => backend.Attempts >= 1, () => "the exporter tried");
        backend.Answer = BackendAnswer.Accept;
        await AssertAllArriveAsync(node, backend, request);
    }

    [Fact]
    public async Task Backend_OneOfTwoSilent_DoesNotHoldTheOther()
    {
        await using RecordingBackend silent = await RecordingBackend.StartAsync();
        await using RecordingBackend working = await RecordingBackend.StartAsync();
        silent.Answer = BackendAnswer.Hang;
        NodeSettings settings = new(silent) { SecondBackend = working, DecisionWait = "200ms", ExportTimeout = "1s" };
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        ExportTraceServiceRequest request = await SendAsync(node);
        await working.WaitForAsync([request], Kept);
        Assert.Empty(silent.Received);
        silent.Answer = BackendAnswer.Accept;
        await AssertAllArriveAsync(node, silent, request);
        Delivery.AssertKept([request], Kept, working.Received);
    }

    [Fact]
    public async Task Backend_UnavailableUntilTheQueueIsFull_PushesClientsBackAndLosesNothing()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        backend.Answer = BackendAnswer.Unavailable(TimeSpan.FromMilliseconds(100));
        NodeSettings settings = new(backend) { DecisionWait = "50ms", QueueBytes = 256 << 10 };
        await using NodeProcess node = await NodeProcess.StartAsync(settings);
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        List<ExportTraceServiceRequest> accepted = [];
        OtlpAnswer? refusal = null;
        await Eventually.HoldsAsync(
            async () =>
            {
                ExportTraceServiceRequest request = new TraceBuilder()
                    .Span((ulong)accepted.Count + 1, 1).Error().With("payload", new string('x', 20_000)).Build();
                OtlpAnswer answer = await sender.TrySendAsync(request.ToByteArray());
                if (answer.Accepted)
                {
                    accepted.Add(request);
                    return false;
                }

                refusal = answer;
                return true;
            },
            () => $"a client was pushed back; {accepted.Count} requests were accepted");
        // RESOURCE_EXHAUSTED or UNAVAILABLE: both mean try again.
        Assert.Contains(refusal!.GrpcStatus!.Value, new[] { 8, 14 });

        backend.Answer = BackendAnswer.Accept;
        await backend.WaitForAsync(accepted, Enumerable.Range(1, accepted.Count).Select(Id));
        ExportTraceServiceRequest last = new TraceBuilder().Span((ulong)accepted.Count + 1000, 1).Error().Build();
        await Eventually.HoldsAsync(
            async () => (await sender.TrySendAsync(last.ToByteArray())).Accepted, () => "clients are let in again");
        accepted.Add(last);
        Assert.Equal(0, await node.StopAsync());
        Delivery.AssertKept(accepted, accepted.Select(request => Delivery.Of(request).Single().TraceId), backend.Received);
    }

    [Theory]
    [InlineData(Exporter.Grpc)]
    [InlineData(Exporter.HttpProtobuf)]
    public async Task Backend_RefusesForGood_IsNotAskedAgainAndTheNextTraceArrives(Exporter exporter)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        backend.Answer = BackendAnswer.Refuse;
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter) { DecisionWait = "200ms" });
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        ExportTraceServiceRequest refused = new TraceBuilder().Span(1, 1).Error().Build();
        ExportTraceServiceRequest next = new TraceBuilder().Span(2, 1).Error().Build();
        await sender.SendAsync(refused);
        await Eventually.HoldsAsync(() => backend.Attempts == 1, () => $"the exporter tried; attempts: {backend.Attempts}");
        backend.Answer = BackendAnswer.Accept;
        await sender.SendAsync(next);
        await backend.WaitForAsync([next], [Id(2)]);
        Assert.Equal(0, await node.StopAsync());
        Assert.Equal(2, backend.Attempts);
        Delivery.AssertKept([refused, next], [Id(2)], backend.Received);
    }

    private static async Task<ExportTraceServiceRequest> SendAsync(NodeProcess node)
    {
        TraceBuilder builder = new();
        for (int trace = 1; trace <= Traces; trace++)
        {
            builder.Span((ulong)trace, 1);
            _ = trace % 2 == 0 ? builder.Error() : builder;
            builder.Span((ulong)trace, 2, 1);
        }

        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(builder.Build());
        return builder.Build();
    }

    private static async Task AssertAllArriveAsync(NodeProcess node, RecordingBackend backend, ExportTraceServiceRequest request)
    {
        await backend.WaitForAsync([request], Kept);
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Problems);
        Delivery.AssertKept([request], Kept, backend.Received);
    }

    private static string Id(int trace) => TraceBuilder.TraceId((ulong)trace).ToString();
}
