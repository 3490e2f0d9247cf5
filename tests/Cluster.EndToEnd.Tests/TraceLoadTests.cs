using Cluster.EndToEnd.Tests.Harness;

namespace Cluster.EndToEnd.Tests;

/// <summary>The load that the tests of the cluster stand on, on a single node: it flows, and what a crash takes with it is found missing.</summary>
public sealed class TraceLoadTests
{
    private static readonly TimeSpan DecisionWait = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Load_OneNode_EverythingAcknowledgedArrivesOnce()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "1s" });
        using Gateway gateway = new("alone", node.Grpc, node.Http);
        using TraceLoad load = new([gateway], DecisionWait, spansPerSecond: 200);
        ServingProbe probe = new(shards: 128);

        load.Start();
        await load.FlowsAsync();
        await probe.AllServeAsync(gateway);
        await load.StopAsync();
        Assert.Equal(0, await node.StopAsync());

        LoadReport report = LoadReport.Of(load.Spans.Concat(probe.Spans), backend.Arrivals);
        Assert.Equal(report.Spans, report.Acknowledged);
        Assert.InRange(report.Spans, 328, 10_000);
        Assert.Empty(load.Unacknowledged);
        report.AssertGood();
        Assert.Empty(report.Duplicates);
        string[] arrived = [.. backend.Received.SelectMany(Delivery.Of).Select(span => span.TraceId).Distinct()];
        Assert.Contains(load.Spans, span => span.Fate == Fate.Either && arrived.Contains(span.Sent.TraceId));
        Assert.Contains(load.Spans, span => span.Fate == Fate.Kept && span.Sent.SpanId == "0000000000000005");
    }

    [Fact]
    public async Task Load_NodeThatDiesAlone_LosesWhatItHeldAndTheReportSaysSo()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        NodeSettings settings = new(backend) { DecisionWait = "1s" };
        await using NodeProcess first = await NodeProcess.StartAsync(settings);
        await using NodeProcess second = await NodeProcess.StartAsync(settings);
        using Gateway gateway = new("first", first.Grpc, first.Http);
        using Gateway other = new("second", second.Grpc, second.Http);
        using TraceLoad load = new([gateway], DecisionWait, spansPerSecond: 200);

        load.Start();
        await load.FlowsAsync();
        await first.KillAsync();
        load.Use([other]);
        await load.FlowsAsync();
        await load.StopAsync();
        Assert.Equal(0, await second.StopAsync());

        Assert.NotEmpty(load.Unacknowledged);
        Assert.NotEmpty(LoadReport.Of(load.Spans, backend.Arrivals).Lost);
    }
}
