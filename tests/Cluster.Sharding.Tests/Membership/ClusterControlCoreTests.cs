using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Membership;

public sealed class ClusterControlCoreTests
{
    [Fact]
    public void Start_OfTheFirstNode_GivesItEverything()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(1);

        Assert.Equal(a.Id, cluster.Coordinator);
        Assert.Equal(1, cluster.Allocation.Version);
        Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(new MemberId("a", 1), cluster.Allocation[i].Primary));
        Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(1u, cluster.Allocation[i].Term));
        Assert.Equal(a.Id, a.Core.Snapshot.Coordinator);
        Assert.Equal("a:4320", Assert.Single(a.Core.Snapshot.Members).Address);
        Assert.True(a.Core.Authority > cluster.Now);
    }

    [Fact]
    public void Join_OfMoreNodes_SharesShardsAndCopies()
    {
        ControlCluster cluster = new(shards: 12);
        ControlNode a = cluster.Start("a");
        cluster.Run(1);
        ControlNode b = cluster.Start("b");
        cluster.Run(20);
        Assert.True(cluster.IsSettled());
        Assert.Equal((6, 6), (cluster.PrimariesOf(a), cluster.PrimariesOf(b)));

        ControlNode c = cluster.Start("c");
        cluster.Run(20);
        Assert.True(cluster.IsSettled());
        Assert.Equal((4, 4, 4), (cluster.PrimariesOf(a), cluster.PrimariesOf(b), cluster.PrimariesOf(c)));
        Assert.Equal((4, 4, 4), (cluster.CopiesOf(a), cluster.CopiesOf(b), cluster.CopiesOf(c)));
        Assert.All(cluster.Nodes, node => Assert.Equal(cluster.Allocation.Version, node.Core.Snapshot.Allocation.Version));
        Assert.Equal(["a", "b", "c"], c.Core.Snapshot.Members.Select(member => member.Id.Node));
    }

    [Fact]
    public void Advance_OfASettledCluster_AsksTheStoreFewTimesAndChangesNothing()
    {
        ControlCluster cluster = new();
        cluster.Start("a");
        cluster.Start("b");
        cluster.Run(30);
        long version = cluster.Allocation.Version;
        foreach (ControlNode node in cluster.Nodes)
        {
            node.Requests.Clear();
        }

        cluster.Run(60);
        Assert.Equal(version, cluster.Allocation.Version);
        Assert.All(cluster.Nodes, node => Assert.InRange(node.Requests.Count(request => request is StoreRequest.KeepAlive), 33, 40));
        Assert.All(cluster.Nodes, node => Assert.InRange(node.Requests.Count(request => request is not StoreRequest.KeepAlive), 0, 6));
    }
}
