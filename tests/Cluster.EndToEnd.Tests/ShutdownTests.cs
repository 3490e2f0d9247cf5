using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;

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
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter) { DecisionWait = "1h" });
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
    public async Task SigTerm_Idle_EndsWithCode0()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend));
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Received);
    }
}
