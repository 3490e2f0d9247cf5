using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Membership;

public sealed class ClusterControlTests : IAsyncDisposable
{
    private readonly ControlHost _host = new();

    private long Now => (long)_host.Time.GetElapsedTime(0).TotalMilliseconds;

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Start_OfOneNode_HasAllShardsAndAuthority()
    {
        (ClusterControl a, RecordingObserver observer) = _host.Start("a");
        Assert.Equal(0, a.Snapshot.Allocation.Version);
        await _host.UntilAsync(() => observer.Authority > Now && a.Snapshot.Allocation.Version > 0, "an allocation");
        Assert.Equal([8], ControlHost.Primaries(a.Snapshot, "a"));
        Assert.Equal(new MemberId("a", 1), a.Snapshot.Coordinator);
        Assert.True(observer.Snapshots > 0);
    }

    [Fact]
    public async Task Join_OfTwoMore_MovesShardsAsTheirCopiesCatchUp()
    {
        ClusterControl[] nodes = [_host.Start("a").Control, _host.Start("b").Control, _host.Start("c").Control];
        await _host.UntilAsync(() => Report(nodes) && nodes.All(IsShared), "shards shared by three");
        Assert.All(nodes, node => Assert.Equal(nodes[0].Snapshot.Allocation.Version, node.Snapshot.Allocation.Version));
        Assert.All(Enumerable.Range(0, 8), i => Assert.True(Assert.Single(nodes[0].Snapshot.Allocation[i].Replicas).InSync));
    }

    [Fact]
    public async Task Death_OfTheCoordinator_IsNoticedAndItsShardsServedAgain()
    {
        ClusterControl[] nodes = [_host.Start("a").Control, _host.Start("b").Control, _host.Start("c").Control];
        await _host.UntilAsync(() => Report(nodes) && nodes.All(IsShared), "shards shared by three");
        ClusterControl coordinator = nodes.Single(node => node.Snapshot.Coordinator == node.Snapshot.Self);
        ClusterControl[] others = [.. nodes.Where(node => node != coordinator)];
        string dead = coordinator.Snapshot.Self.Node;
        await _host.KillAsync(coordinator);
        await _host.UntilAsync(() => others.All(node => ControlHost.Primaries(node.Snapshot, dead)[0] == 0), "promotion");
        Assert.Contains(others[0].Snapshot.Coordinator, others.Select(node => node.Snapshot.Self));
        Assert.Equal(0, others.Sum(node => node.EmptiedShards));

        // Its name comes back as another run.
        ClusterControl again = _host.Start(dead, incarnation: 2).Control;
        ClusterControl[] all = [.. others, again];
        await _host.UntilAsync(() => Report(all) && all.All(IsShared), "shards shared by three again");
        Assert.Equal(2ul, all[0].Snapshot.Members.Single(member => member.Id.Node == dead).Id.Incarnation);
    }

    [Fact]
    public async Task Start_UnderATakenName_IsRejected()
    {
        (_, RecordingObserver first) = _host.Start("a");
        await _host.UntilAsync(() => first.Authority > 0, "the first one");
        (ClusterControl second, RecordingObserver observer) = _host.Start("a", incarnation: 2);
        await _host.UntilAsync(() => observer.Rejection is not null, "a rejection");
        Assert.StartsWith("the name 'a' is taken by the node at a:4320", observer.Rejection, StringComparison.Ordinal);
        Assert.Equal(0, observer.Authority);
        await second.DrainAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Start_WithAnotherNumberOfShards_IsRejected()
    {
        (_, RecordingObserver first) = _host.Start("a");
        await _host.UntilAsync(() => first.Authority > 0, "the first one");
        (_, RecordingObserver observer) = _host.Start("b", options: ControlHost.Options with { ShardCount = 16 });
        await _host.UntilAsync(() => observer.Rejection is not null, "a rejection");
        Assert.Equal("the cluster has 8 shards, and this node is configured for 16: set cluster.shards to 8", observer.Rejection);
    }

    [Fact]
    public async Task Drain_ThenLeave_EmptiesAndGoes()
    {
        ClusterControl[] nodes = [_host.Start("a").Control, _host.Start("b").Control];
        await _host.UntilAsync(
            () => Report(nodes) && nodes.All(node => ControlHost.Primaries(node.Snapshot, "a", "b") is [4, 4]), "shards shared by two");
        Task drained = nodes[0].DrainAsync(TestContext.Current.CancellationToken);
        await _host.UntilAsync(() => Report(nodes) && drained.IsCompleted, "the drain");
        Assert.Equal([0, 8], ControlHost.Primaries(nodes[0].Snapshot, "a", "b"));
        Task left = nodes[0].LeaveAsync(TestContext.Current.CancellationToken);
        await _host.UntilAsync(() => left.IsCompleted && nodes[1].Snapshot.Members.Count == 1, "the leave");
        await left;
    }

    [Fact]
    public async Task Store_ThatFailsForAWhile_IsSaidOnceAndFoundAgain()
    {
        (_, RecordingObserver observer) = _host.Start("a");
        await _host.UntilAsync(() => observer.Authority > 0, "authority");
        _host.Store.Fails = true;
        await _host.UntilAsync(() => observer.Authority < Now - 20_000, "20 s without authority");
        Assert.Equal(["away"], observer.StoreEvents);
        Assert.Equal([null], observer.Fences);
        _host.Store.Fails = false;
        await _host.UntilAsync(() => observer.Authority > Now, "authority again");
        Assert.Equal(["away", "answers"], observer.StoreEvents);
        Assert.Equal(2, observer.Fences.Count);
        Assert.InRange(observer.Fences[1]!.Value.TotalSeconds, 10, 30);
    }

    [Fact]
    public async Task Store_ThatHangs_HoldsNothingUp()
    {
        (ClusterControl a, RecordingObserver observer) = _host.Start("a");
        await _host.UntilAsync(() => observer.Authority > 0, "authority");
        _host.Store.Hang();
        await _host.UntilAsync(() => observer.Authority < Now - 20_000, "20 s without authority");
        Task drain = a.DrainAsync(TestContext.Current.CancellationToken);
        await a.FlushAsync();
        Assert.False(drain.IsCompleted);
        _host.Store.GoOn();
        await _host.UntilAsync(() => observer.Authority > Now && drain.IsCompleted, "authority again");
    }

    [Fact]
    public async Task Dispose_WithADrainWaiting_EndsIt()
    {
        (ClusterControl a, _) = _host.Start("a");
        _host.Store.Hang();
        Task drain = a.DrainAsync(CancellationToken.None);
        await _host.KillAsync(a);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => drain);
    }

    /// <summary>Says for each node that its learners have caught up.</summary>
    private static bool Report(ClusterControl[] nodes)
    {
        foreach (ClusterControl node in nodes)
        {
            ClusterSnapshot snapshot = node.Snapshot;
            node.SetReports([.. Enumerable.Range(0, 8)
                .Where(i => snapshot.Allocation[i].Primary == snapshot.Self)
                .SelectMany(i => snapshot.Allocation[i].Replicas
                    .Where(copy => !copy.InSync)
                    .Select(copy => new ShardReport(i, snapshot.Allocation[i].Term, copy.Member, copy.Since, CopyState.CaughtUp)))]);
        }

        return true;
    }

    private static bool IsShared(ClusterControl node) => node.Snapshot.Members.Count == 3
        && ControlHost.Primaries(node.Snapshot, "a", "b", "c").All(count => count is 2 or 3)
        && Enumerable.Range(0, 8).All(i => node.Snapshot.Allocation[i].Replicas is [{ InSync: true }]);
}
