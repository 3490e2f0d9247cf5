using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.EndToEnd.Tests.Clusters;

/// <summary>Nodes come and go by plan.</summary>
[Collection(ClusterCollection.Name)]
public sealed class JoinTests
{
    /// <summary>
    /// Longest acknowledgement, but for one in a hundred, while shards move. Wide: it is measured in bench/cluster, on a quiet machine.
    /// </summary>
    private const double HandOffMilliseconds = 2500;

    /// <summary>Time enough for a client that goes from node to node.</summary>
    private static readonly ClusterPlan Slow = new() { DecisionSeconds = 5 };

    [Fact]
    public Task ThreeNodes_OneTraceThroughThreeGateways_IsOneTrace() => ClusterProcesses.RunAsync(Slow, async cluster =>
    {
        foreach (ClusterNode node in cluster.Nodes)
        {
            ClusterView view = (await node.ViewAsync())!;
            Assert.Equal(("cluster", "test", node.Id), (view.Mode, view.Name, view.Self));
            Assert.Equal(cluster.Settings.Shards, view.Shards.Total);
            Assert.Equal(cluster.Settings.Shards, view.Members.Sum(member => member.Primaries));
            Assert.Equal(cluster.Settings.Shards, view.Members.Sum(member => member.InSyncCopies));
            Assert.InRange(view.Imbalance, 1, 1.1);
            Assert.InRange(view.CopyImbalance, 1, 1.1);
        }

        // Spans 1, 2 and 3 of thirty traces, each by another door; the second says why to keep every third trace.
        const ulong Traces = 30;
        List<ExportTraceServiceRequest> parts = [];
        for (int part = 0; part < 3; part++)
        {
            TraceBuilder builder = new TraceBuilder().Resource($"service-{part}");
            for (ulong trace = 1; trace <= Traces; trace++)
            {
                builder.Span(trace, (ulong)part + 1, (ulong)part);
                _ = part == 1 && trace % 3 == 0 ? builder.Error() : builder;
            }

            parts.Add(builder.Build());
            using OtlpSender sender = OtlpSender.Grpc(cluster.Nodes[part].Grpc);
            await sender.SendAsync(builder.Build());
        }

        string[] kept = [.. Enumerable.Range(1, (int)Traces / 3).Select(trace => TraceBuilder.TraceId((ulong)trace * 3).ToString())];
        await cluster.Backend.WaitForAsync(parts, kept);

        // Every node knows every trace, and shows the same shards.
        foreach (ClusterNode node in cluster.Nodes)
        {
            await node.Process.WaitForStateAsync("sampled", kept);
            await node.Process.WaitForStateAsync("not_sampled", TraceBuilder.TraceId(1).ToString(), TraceBuilder.TraceId(2).ToString());
            (HttpStatusCode status, string body) = await node.Process.AskAsync("/api/shards");
            Assert.Equal(HttpStatusCode.OK, status);
            using JsonDocument shards = JsonDocument.Parse(body);
            Assert.Empty(shards.RootElement.GetProperty("unanswered").EnumerateArray());
            ShardView[] views = shards.RootElement.GetProperty("shards").Deserialize<ShardView[]>(JsonSerializerOptions.Web)!;
            Assert.Equal(Enumerable.Range(0, cluster.Settings.Shards), views.Select(shard => shard.Id));
            Assert.All(views, shard =>
            {
                Assert.True(shard is { Primary: not null, Moving: false, Traces: 0, Replicas: [{ InSync: true }] }, shard.ToString());
                Assert.NotEqual(shard.Primary, shard.Replicas[0].Node);
            });

            NodeCommand said = await NodeCommand.RunAsync("cluster", "status", "--admin", node.Admin.GetLeftPart(UriPartial.Authority));
            Assert.True(said.ExitCode == 0, said.ToString());
            Assert.All(cluster.Nodes, other => Assert.Contains(other.Id, said.Output, StringComparison.Ordinal));
        }

        Assert.Empty(cluster.Backend.Problems);
        Delivery.AssertKept(parts, kept, cluster.Backend.Received);
    });

    [Fact]
    public Task FourthNode_JoinsAndLeavesUnderLoad_NothingIsLost() => ClusterProcesses.RunAsync(new ClusterPlan(), async cluster =>
    {
        cluster.Load.Start();
        await cluster.Load.FlowsAsync();

        long joining = Stopwatch.GetTimestamp();
        ClusterNode fourth = cluster.Add("node-4");
        await fourth.StartAsync();
        long joined = await cluster.IsWholeAsync();
        ClusterView view = (await fourth.ViewAsync())!;
        Assert.InRange(view.Imbalance, 1, 1.1);
        Assert.InRange(view.CopyImbalance, 1, 1.1);
        Say(cluster, "join", joining, joined);
        cluster.Load.Use(cluster.Nodes.Select(node => node.Gateway));
        await cluster.Load.FlowsAsync();

        // SIGTERM: everything is moved away, then the process ends well. Its clients go elsewhere first, as a load balancer would have them.
        cluster.Load.Use(cluster.Nodes.Where(node => node != fourth).Select(node => node.Gateway));
        long leaving = Stopwatch.GetTimestamp();
        Assert.Equal(0, await fourth.Process.StopAsync());
        long left = await cluster.IsWholeAsync();
        Say(cluster, "drain", leaving, left);
        await cluster.Load.FlowsAsync();

        await cluster.AssertNothingLostAsync(new Fault(joining, joined), new Fault(leaving, left));
        Assert.InRange(cluster.Load.Latency(0.99, joining, joined), 0, HandOffMilliseconds);
        Assert.InRange(cluster.Load.Latency(0.99, leaving, left), 0, HandOffMilliseconds);
    });

    [Fact]
    public Task AllNodes_RestartOneByOneUnderLoad_NothingIsLost() => ClusterProcesses.RunAsync(new ClusterPlan(), async cluster =>
    {
        cluster.Load.Start();
        await cluster.Load.FlowsAsync();
        List<Fault> faults = [];
        foreach (ClusterNode node in cluster.Nodes)
        {
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(0, await node.Process.StopAsync());
            long stopped = Stopwatch.GetTimestamp();
            await node.StartAsync();
            faults.Add(new Fault(start, await cluster.IsWholeAsync()));
            Say(cluster, $"{node.Id} restarted, ended after {Stopwatch.GetElapsedTime(start, stopped).TotalSeconds:f1} s", start, faults[^1].To);
        }

        await cluster.Load.FlowsAsync();
        await cluster.AssertNothingLostAsync(faults);
    });

    private static void Say(ClusterProcesses cluster, string what, long from, long to) => ClusterProcesses.Say(
        $"{what}: {Stopwatch.GetElapsedTime(from, to).TotalSeconds:f1} s; acknowledgement p50 {cluster.Load.Latency(0.5, from, to):f1} ms, "
        + $"p99 {cluster.Load.Latency(0.99, from, to):f1} ms");
}
