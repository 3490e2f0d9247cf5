using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.EndToEnd.Tests;

/// <summary>Spans that come after the decision follow it.</summary>
public sealed class LateSpanTests
{
    private static readonly string Kept = TraceBuilder.TraceId(1).ToString();
    private static readonly string NotKept = TraceBuilder.TraceId(2).ToString();
    private static readonly string Marker = TraceBuilder.TraceId(3).ToString();

    [Fact]
    public async Task Export_SpansAfterTheDecision_FollowIt()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "500ms" });
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        ExportTraceServiceRequest first = new TraceBuilder().Span(1, 1).Error().Span(2, 1).Build();
        await sender.SendAsync(first);
        await node.WaitForStateAsync("sampled", Kept);
        await node.WaitForStateAsync("not_sampled", NotKept);

        // An error now does not bring the second trace back; without one the first stays kept.
        ExportTraceServiceRequest late = new TraceBuilder().Resource("late").Span(1, 2, 1).Span(2, 2, 1).Error().Span(3, 1).Error().Build();
        await sender.SendAsync(late);
        await backend.WaitForAsync([first, late], [Kept, Marker]);
        Assert.Equal("not_sampled", await node.StateOfAsync(NotKept));
        Assert.Equal(0, await node.StopAsync());
        Delivery.AssertKept([first, late], [Kept, Marker], backend.Received);
    }

    [Fact]
    public async Task Export_RequestAgainAfterTheDecision_IsNoNewTrace()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "500ms" });
        using OtlpSender sender = OtlpSender.Http(node.Http);
        ExportTraceServiceRequest request = new TraceBuilder().Span(2, 1).Span(2, 2, 1).Build();
        await sender.SendAsync(request);
        await node.WaitForStateAsync("not_sampled", NotKept);
        await sender.SendAsync(request);
        Assert.Equal("not_sampled", await node.StateOfAsync(NotKept));
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Received);
    }
}
