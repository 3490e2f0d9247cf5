using System.Collections.Concurrent;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests;

/// <summary>SIGTERM: what is pending is decided, what is kept is sent, then the process ends.</summary>
public sealed class ShutdownTests
{
    [Theory]
    [InlineData(Exporter.Grpc)]
    [InlineData(Exporter.HttpProtobuf)]
    public async Task SigTerm_PendingTraces_AreDecidedAndSentBeforeTheEnd(Exporter exporter)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter) { DecisionWait = NodeSettings.Never });
        TraceBuilder builder = new();
        for (ulong trace = 1; trace <= 300; trace++)
        {
            builder.Span(trace, 1).Span(trace, 2, 1);
            _ = trace % 3 == 0 ? builder.Error() : builder;
        }

        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(builder.Build());
        Assert.Equal("pending", await node.StateOfAsync(TraceBuilder.TraceId(3).ToString()));
        Assert.Empty(backend.Received);

        Assert.Equal(0, await node.StopAsync());
        string[] kept = [.. Enumerable.Range(1, 100).Select(trace => TraceBuilder.TraceId((ulong)trace * 3).ToString())];
        Delivery.AssertKept([builder.Build()], kept, backend.Received);
    }

    [Fact]
    public async Task SigTerm_UnderTraffic_EverythingAcknowledgedArrives()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "300ms" });
        ConcurrentQueue<ExportTraceServiceRequest> acknowledged = new();
        int next = 0;
        Task[] clients = [.. Enumerable.Range(0, 4).Select(client => Task.Run(async () =>
        {
            using OtlpSender sender = client % 2 == 0 ? OtlpSender.Grpc(node.Grpc) : OtlpSender.Http(node.Http);
            while (true)
            {
                ulong trace = (ulong)Interlocked.Increment(ref next);
                ExportTraceServiceRequest request = new TraceBuilder().Span(trace, 1).Error().Span(trace, 2, 1).Build();
                try
                {
                    if (!(await sender.TrySendAsync(request.ToByteArray())).Accepted)
                    {
                        return;
                    }
                }
                catch (HttpRequestException)
                {
                    // The door is closed; nobody knows about this one.
                    return;
                }

                acknowledged.Enqueue(request);
            }
        }))];
        await Eventually.HoldsAsync(() => acknowledged.Count >= 200, () => $"200 requests were acknowledged; {acknowledged.Count} were");
        Assert.Equal(0, await node.StopAsync());
        await Task.WhenAll(clients).WaitAsync(Eventually.Deadline, TestContext.Current.CancellationToken);
        Assert.Empty(backend.Problems);
        Delivery.AssertKept(acknowledged, acknowledged.Select(request => Delivery.Of(request).First().TraceId), backend.Received);
    }

    [Fact]
    public async Task SigTerm_TwiceWhileTheBackEndIsDown_SaysWhatIsLostBeforeItSaysStopped()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        backend.Answer = BackendAnswer.Unavailable(TimeSpan.Zero);
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = NodeSettings.Never });
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(new TraceBuilder().Span(1, 1).Error().Build());

        node.SendSigTerm();
        await Eventually.HoldsAsync(() => backend.Attempts > 0, () => $"what is pending is decided and tried; it wrote:\n{node.Output}");
        Assert.Equal(1, await node.StopAsync());

        int lost = node.Output.IndexOf("[3006] Exporter otlp had to end with unsent traces: 1, with spans: 1", StringComparison.Ordinal);
        int stopped = node.Output.IndexOf("[1004] Stopped", StringComparison.Ordinal);
        Assert.True(lost >= 0 && lost < stopped, node.Output);
    }

    [Fact]
    public async Task SigTerm_Idle_EndsWithCode0()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend));
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Received);
    }
}
