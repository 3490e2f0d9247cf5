using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Membership;

/// <summary>Goal: who cannot be in a cluster is told why, and touches nothing.</summary>
public sealed class ClusterControlAdmissionTests
{
    [Fact]
    public void Name_OfALivingNode_IsWaitedForAndThenRefused()
    {
        ControlCluster cluster = new();
        cluster.Start("a");
        cluster.Run(1);
        ControlNode other = cluster.Start("a", incarnation: 2);
        cluster.Run(14.9);
        Assert.Null(other.Rejection);
        cluster.Run(0.5);
        Assert.Equal("the name 'a' is taken by the node at a:4320, which is alive: set cluster.node.id to another", other.Rejection);
        Assert.True(other.Core.HasLeft);
        Assert.DoesNotContain(other.Requests, request => request is StoreRequest.Grant);
        int requests = other.Requests.Count;
        cluster.Run(10);
        Assert.Equal(requests, other.Requests.Count);
    }

    [Fact]
    public void Name_OfADeadRun_IsTakenWhenItsLeaseHasEnded()
    {
        ControlCluster cluster = new();
        ControlNode first = cluster.Start("a");
        ControlNode b = cluster.Start("b");
        cluster.RunUntil(() => cluster.IsSettled());
        first.Kill();
        ControlNode second = cluster.Start("a", incarnation: 2);
        cluster.RunUntil(() => second.Core.Authority > cluster.Now, 6);
        cluster.RunUntil(() => cluster.IsSettled() && cluster.PrimariesOf(second) == 4);
        Assert.Null(second.Rejection);
        Assert.Equal(0, b.Core.EmptiedShards + second.Core.EmptiedShards);
    }

    [Fact]
    public void Name_ThatLooksTakenToACutOffNode_IsNotRefusedBeforeItIsReadAgain()
    {
        ControlCluster cluster = new();
        ControlNode first = cluster.Start("a");
        cluster.Run(1);
        ControlNode second = cluster.Start("a", incarnation: 2);
        cluster.Run(0.5);
        first.Kill();
        second.IsCutOff = true;
        cluster.Run(40);
        Assert.Null(second.Rejection);
        second.IsCutOff = false;
        cluster.RunUntil(() => second.Core.Authority > cluster.Now, 5);
    }

    [Fact]
    public void Shards_OfAnotherNumberThanTheClusters_AreRefused()
    {
        ControlCluster cluster = new();
        cluster.Start("a");
        cluster.Run(1);
        ControlNode b = cluster.Start("b", configure: options => options with { ShardCount = 16 });
        cluster.Run(1);
        Assert.Equal("the cluster has 8 shards, and this node is configured for 16: set cluster.shards to 8", b.Rejection);
        Assert.Empty(b.Published);
        Assert.DoesNotContain(b.Requests, request => request is StoreRequest.Grant or StoreRequest.Commit);
    }

    [Theory]
    [InlineData("""{"format":2,"shards":8}""", "the cluster is of format 2, and this program knows 1")]
    [InlineData("""{"format":1}""", "the cluster has 0 shards")]
    [InlineData("[1]", "what the store has under 'config' is not a cluster's configuration")]
    [InlineData("", "what the store has under 'config' is not a cluster's configuration")]
    public void Config_OfAnotherKind_IsRefused(string config, string problem)
    {
        ControlCluster cluster = new();
        cluster.Put(StoreKeys.Config, config);
        ControlNode a = cluster.Start("a");
        cluster.Run(1);
        Assert.StartsWith(problem, a.Rejection, StringComparison.Ordinal);
    }
}
