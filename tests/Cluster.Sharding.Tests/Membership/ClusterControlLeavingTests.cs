using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Membership;

/// <summary>Goal: a node that goes takes nothing with it, and is not waited for.</summary>
public sealed class ClusterControlLeavingTests
{
    [Fact]
    public void Drain_OfANode_EmptiesIt()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Start("b");
        cluster.Start("c");
        cluster.RunUntil(() => cluster.IsSettled());
        a.Core.Drain(cluster.Now);
        Assert.False(a.Core.IsDrained);
        cluster.RunUntil(() => a.Core.IsDrained);
        Assert.Equal((0, 0), (cluster.PrimariesOf(a), cluster.CopiesOf(a)));
        cluster.RunUntil(() => cluster.IsSettled());
        Assert.True(a.Core.Snapshot.Find(a.Id)!.Leaving);

        a.Core.Leave(cluster.Now);
        cluster.Run(0.1);
        Assert.True(a.Core.HasLeft);
        Assert.Equal(0, a.Core.Authority);
        Assert.Equal(["members/b", "members/c"], cluster.Store.List(StoreKeys.Members).Entries.Select(entry => entry.Key));
        a.Kill();
        cluster.RunUntil(() => !cluster.Coordinator.IsNone, 1);
    }

    [Fact]
    public void Drain_OfTheLastNode_IsDoneAtOnce()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(1);
        a.Core.Drain(cluster.Now);
        cluster.Run(0.2);
        Assert.True(a.Core.IsDrained);
        Assert.Equal(8, cluster.PrimariesOf(a));
    }

    [Fact]
    public void Leave_WhileTheStoreIsAway_EndsWithTheLease()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(1);
        a.IsCutOff = true;
        a.Core.Leave(cluster.Now);
        cluster.Run(4.5);
        Assert.False(a.Core.HasLeft);
        cluster.Run(1);
        Assert.True(a.Core.HasLeft);
    }
}
