using System.Diagnostics;
using System.Net;
using Cluster.EndToEnd.Tests.Harness;

namespace Cluster.EndToEnd.Tests.Clusters;

/// <summary>Nodes and the store stand still or cannot reach each other, and come back with all they knew.</summary>
[Collection(ClusterCollection.Name)]
public sealed class OutageTests
{
    /// <summary>The shortest lease there is, so that nobody waits long for its end.</summary>
    private static readonly ClusterPlan Brief = new() { LeaseSeconds = 2 };

    [Fact]
    public Task Node_PausedPastItsLease_GivesUpWhatOthersTook() => ClusterProcesses.RunAsync(Brief, async cluster =>
    {
        cluster.Load.Start();
        await cluster.Load.FlowsAsync();
        ClusterNode paused = cluster.Nodes[1];
        Gateway[] others = [.. cluster.Nodes.Where(node => node != paused).Select(node => node.Gateway)];

        long start = Stopwatch.GetTimestamp();
        paused.Process.Pause();
        long served = await cluster.Probe.AllServeAsync(others);
        ClusterProcesses.Say($"paused: all shards served after {Stopwatch.GetElapsedTime(start, served).TotalSeconds:f2} s");
        await cluster.Load.FlowsAsync();

        // It wakes up with shards, and traces that are due, which are others' now.
        paused.Process.Continue();
        Fault fault = new(start, await cluster.IsWholeAsync());
        await cluster.Load.FlowsAsync();
        await cluster.AssertNothingLostAsync(fault);
    });

    [Fact]
    public Task Store_AwayForLessThanALease_NobodyNotices() => ClusterProcesses.RunAsync(new ClusterPlan(), async cluster =>
    {
        cluster.Load.Start();
        await cluster.Load.FlowsAsync();
        long version = (await cluster.Nodes[0].ViewAsync())!.AllocationVersion;

        await cluster.Etcd.KillAsync();
        await cluster.Load.FlowsAsync();
        await Task.Delay(TimeSpan.FromSeconds(1));
        await cluster.Etcd.RestartAsync();

        // Long enough for leases to have ended, if they had not been kept alive again.
        await Task.Delay(cluster.Lease);
        await cluster.IsWholeAsync();
        Assert.Equal(version, (await cluster.Nodes[0].ViewAsync())!.AllocationVersion);
        Assert.Empty(cluster.Load.Unacknowledged);
        await cluster.AssertNothingLostAsync();
    });

    [Fact]
    public Task Store_AwayForLongerThanALease_NothingIsAcknowledgedUntilItIsBack() => ClusterProcesses.RunAsync(Brief, async cluster =>
    {
        cluster.Load.Start();
        await cluster.Load.FlowsAsync();

        long start = Stopwatch.GetTimestamp();
        await cluster.Etcd.KillAsync();
        await Eventually.HoldsAsync(
            async () => (await Task.WhenAll(cluster.Nodes.Select(node => node.ViewAsync()))).All(view => view?.Fenced == true),
            () => "every node fences itself");
        long fenced = Stopwatch.GetTimestamp();
        ClusterProcesses.Say($"fenced after {Stopwatch.GetElapsedTime(start, fenced).TotalSeconds:f2} s");
        Assert.True(Stopwatch.GetElapsedTime(start, fenced) < cluster.Lease + TimeSpan.FromSeconds(2));

        // Requests are held for a while, in case it comes back soon, and then refused. What was under way when the fence went up is allowed for.
        await Eventually.HoldsAsync(() => cluster.Load.Unacknowledged.Count(no => no.Refused) > 20, () => "requests are refused");
        long end = Stopwatch.GetTimestamp();
        Assert.DoesNotContain(
            cluster.Load.Acknowledgements, yes => yes.At > fenced + (Stopwatch.Frequency / 4) && yes.At < end);

        await cluster.Etcd.RestartAsync();
        long served = await cluster.Probe.AllServeAsync([.. cluster.Nodes.Select(node => node.Gateway)]);
        ClusterProcesses.Say($"back: all shards served after {Stopwatch.GetElapsedTime(end, served).TotalSeconds:f2} s");
        Fault fault = new(start, await cluster.IsWholeAsync());
        await cluster.Load.FlowsAsync();
        await cluster.AssertNothingLostAsync(fault);
    });

    [Fact]
    public async Task Node_CutOffFromTheOthersAndTheStore_AcknowledgesNothingAndComesBack()
    {
        string? unavailable = await NetworkNamespace.UnavailableAsync();
        Assert.SkipWhen(unavailable is not null, unavailable ?? "");
        await using NetworkNamespace host = await NetworkNamespace.CreateAsync();
        ClusterPlan plan = Brief with
        {
            Store = host.NodesHere,
            Backend = host.ClientsHere,
            Places =
            [
                new NodePlace("node-1", IPAddress.Loopback, host.NodesHere, []),
                new NodePlace("node-2", IPAddress.Loopback, host.NodesHere, []),
                new NodePlace("node-3", host.ClientsThere, host.NodesThere, host.Launcher),
            ],
        };
        await ClusterProcesses.RunAsync(plan, async cluster =>
        {
            cluster.Load.Start();
            await cluster.Load.FlowsAsync();
            ClusterNode cut = cluster.Nodes[2];
            Gateway[] others = [.. cluster.Nodes.Where(node => node != cut).Select(node => node.Gateway)];

            // Clients and the back end still reach it: only the fence keeps it from acknowledging and from exporting.
            long start = Stopwatch.GetTimestamp();
            await host.CutAsync();
            await Eventually.HoldsAsync(async () => (await cut.ViewAsync())?.Fenced == true, () => "the node that is cut off fences itself");
            long fenced = Stopwatch.GetTimestamp();
            long served = await cluster.Probe.AllServeAsync(others);
            ClusterProcesses.Say($"cut off: all shards served after {Stopwatch.GetElapsedTime(start, served).TotalSeconds:f2} s");
            await cluster.Load.FlowsAsync();
            long end = Stopwatch.GetTimestamp();
            Assert.DoesNotContain(
                cluster.Load.Acknowledgements,
                yes => yes.Gateway == cut.Id && yes.At > fenced + (Stopwatch.Frequency / 4) && yes.At < end);

            await host.MendAsync();
            Fault fault = new(start, await cluster.IsWholeAsync());
            await cluster.Load.FlowsAsync();
            await cluster.AssertNothingLostAsync(fault);
        });
    }
}
