using System.Diagnostics;
using Cluster.EndToEnd.Tests.Clients;
using Cluster.EndToEnd.Tests.Harness;

namespace Cluster.EndToEnd.Tests.Clusters;

/// <summary>Nodes die.</summary>
[Collection(ClusterCollection.Name)]
public sealed class CrashTests
{
    /// <summary>What fail-over may take beyond the lease.</summary>
    private static readonly TimeSpan Promotion = TimeSpan.FromSeconds(2);

    [Fact]
    public Task EachNodeInTurn_KilledUnderLoad_NothingAcknowledgedIsLost() => ClusterProcesses.RunAsync(new ClusterPlan(), async cluster =>
    {
        cluster.Load.Start();
        await cluster.Load.FlowsAsync();
        List<Fault> faults = [];
        List<TimeSpan> times = [];
        foreach (ClusterNode node in cluster.Nodes)
        {
            Gateway[] others = [.. cluster.Nodes.Where(other => other != node).Select(other => other.Gateway)];
            long killed = Stopwatch.GetTimestamp();
            await node.Process.KillAsync();
            if (node == cluster.Nodes[^1])
            {
                // Started again before anybody knows that it was gone: its name is taken until the lease ends.
                await node.LaunchAsync();
                times.Add(Stopwatch.GetElapsedTime(killed, await cluster.Probe.AllServeAsync(others)));
                await node.Process.WaitUntilReadyAsync();
            }
            else
            {
                times.Add(Stopwatch.GetElapsedTime(killed, await cluster.Probe.AllServeAsync(others)));
                await cluster.IsWholeAsync();
                await node.StartAsync();
            }

            ClusterProcesses.Say($"{node.Id} killed: all shards served after {times[^1].TotalSeconds:f2} s");
            faults.Add(new Fault(killed, await cluster.IsWholeAsync()));
        }

        await cluster.Load.FlowsAsync();
        await cluster.AssertNothingLostAsync(faults);
        Assert.All(times, time => Assert.InRange(time, TimeSpan.Zero, cluster.Lease + Promotion));
    });

    [Fact]
    public Task Node_KilledWhileTheBackEndIsAway_OthersSendWhatItHadKept() =>
        ClusterProcesses.RunAsync(new ClusterPlan { LeaseSeconds = 2, DecisionSeconds = 1 }, async cluster =>
        {
            cluster.Load.Start();
            await cluster.Load.FlowsAsync();
            ClusterNode dying = cluster.Nodes[1];
            long start = Stopwatch.GetTimestamp();
            cluster.Backend.Answer = BackendAnswer.Unavailable(TimeSpan.FromMilliseconds(200));
            await Eventually.HoldsAsync(
                async () => await dying.MetricAsync("actorsampling_exporter_queue_bytes") > 20_000,
                () => $"{dying.Id} has kept traces that it cannot send");

            await dying.Process.KillAsync();
            await cluster.Probe.AllServeAsync([.. cluster.Running.Select(node => node.Gateway)]);
            cluster.Backend.Answer = BackendAnswer.Accept;
            Fault fault = new(start, await cluster.IsWholeAsync());
            await cluster.Load.FlowsAsync();
            await cluster.AssertNothingLostAsync(fault);
            await AssertCountedAsync(cluster);
        });

    [Fact]
    public Task JavaScriptSdk_ThatKnowsOneGateway_KeepsWorkingWhileAnotherNodeDies() =>
        // A trace waits long enough for spans that are held up until others have taken over.
        ClusterProcesses.RunAsync(new ClusterPlan { LeaseSeconds = 2, DecisionSeconds = 12 }, async cluster =>
        {
            ClusterNode known = cluster.Nodes[0];
            List<ClientReport> reports = [.. await SendAsync(known, "none")];

            // The node dies while its shards hold those traces, and while the next clients send.
            Task<ClientReport[]> during = SendAsync(known, "none");
            await cluster.Nodes[1].Process.KillAsync();
            reports.AddRange(await during);
            reports.AddRange(await SendAsync(known, "gzip"));

            string[] kept = [.. reports.SelectMany(report => report.Kept)];
            await cluster.Backend.WaitForAsync(reports.Select(report => report.Sent), kept);
            await cluster.IsQuietAsync();
            Assert.Empty(cluster.Backend.Problems);
            Delivery.AssertKeptAtLeastOnce(reports.Select(report => report.Sent), kept, cluster.Backend.Received);
        });

    /// <summary>The nodes that are left have counted that one was lost, and what went between them.</summary>
    private static async Task AssertCountedAsync(ClusterProcesses cluster)
    {
        Dictionary<string, double> sums = [];
        foreach (string name in (string[])
            ["shard_promotions", "shard_replicated_frames", "shard_replicated_bytes", "shard_repeated_frames", "cluster_forwarded_frames", "cluster_forwarded_again_frames"])
        {
            double[] counts = await Task.WhenAll(cluster.Running.Select(node => node.MetricAsync($"actorsampling_{name}_total")));
            sums[name] = counts.Sum();
            ClusterProcesses.Say($"{name}: {string.Join(" + ", counts)}");
        }

        // Only those that were sent again may have been repeated, and whether some were is a matter of luck.
        Assert.All(sums.Where(sum => sum.Key != "shard_repeated_frames"), sum => Assert.True(sum.Value > 0, sum.Key));
        Assert.True(sums["cluster_forwarded_again_frames"] < sums["cluster_forwarded_frames"]);
        foreach (ClusterNode node in cluster.Running)
        {
            await Eventually.HoldsAsync(
                async () => await node.MetricAsync("actorsampling_shard_unacknowledged_bytes") == 0, () => $"the copies of {node.Id} have everything");
        }
    }

    /// <summary>Two clients at once, one a protocol; each fails when something that it sent was not acknowledged.</summary>
    private static Task<ClientReport[]> SendAsync(ClusterNode node, string compression) => Task.WhenAll(
        JavaScriptClient.RunAsync(node.Grpc, "grpc", compression), JavaScriptClient.RunAsync(node.Http, "http/protobuf", compression));
}
