using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Membership;

/// <summary>Goal: whatever the store does or holds, a node goes on when it can.</summary>
public sealed class ClusterControlStoreTests
{
    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[[[[")]
    [InlineData("""{"incarnation":"zz","address":5,"members":[null],"shards":[null],"reports":[null],"version":1e99}""")]
    public void Garbage_UnderAnyKey_IsPassedOver(string garbage)
    {
        ControlCluster cluster = new();
        cluster.Put("members/x", garbage);
        cluster.Put("members/", garbage);
        cluster.Put("reports/x", garbage);
        cluster.Put("reports/a", garbage);
        cluster.Put("coordinator", garbage);
        cluster.Put("something/else", garbage);
        ControlNode a = cluster.Start("a");
        ControlNode b = cluster.Start("b");
        cluster.RunUntil(() => cluster.IsSettled());
        Assert.Equal(["a", "b"], a.Core.Snapshot.Members.Select(member => member.Id.Node));
        cluster.Put("reports/b", garbage);
        cluster.Put("members/y", garbage);
        cluster.Run(1);
        long version = cluster.Allocation.Version;

        // An allocation that cannot be read freezes ownership.
        cluster.Put("allocation", garbage);
        b.Kill();
        cluster.Run(20);
        Assert.Equal(version, a.Core.Snapshot.Allocation.Version);
        Assert.True(a.Core.Authority > cluster.Now);
    }

    [Fact]
    public void Store_ThatIsAway_IsAskedSeldomAndFoundAgain()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        a.IsCutOff = true;
        cluster.Run(30);
        Assert.InRange(a.Requests.Count, 10, 60);
        a.IsCutOff = false;
        cluster.RunUntil(() => a.Core.Authority > cluster.Now, 3);
        ControlNode b = cluster.Start("b");
        cluster.RunUntil(() => cluster.IsSettled());

        a.IsCutOff = b.IsCutOff = true;
        a.Requests.Clear();
        cluster.Run(60);
        Assert.InRange(a.Requests.Count, 30, 180);
        a.IsCutOff = b.IsCutOff = false;
        long back = cluster.Now;
        cluster.RunUntil(() => a.Core.Authority > cluster.Now && b.Core.Authority > cluster.Now, 5);
        cluster.RunUntil(() => cluster.IsSettled());
        Assert.Equal(0, a.Core.EmptiedShards + b.Core.EmptiedShards);
        Assert.InRange(cluster.Now - back, 0, 20000);
    }

    [Fact]
    public void Store_ThatHangs_DoesNotKeepKeepAlivesBack()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        a.Requests.Clear();
        a.Hangs = true;
        cluster.Run(30);
        Assert.InRange(a.Requests.Count(request => request is StoreRequest.KeepAlive), 2, 3);
        Assert.True(a.Core.Authority < cluster.Now);
        a.Hangs = false;
        cluster.RunUntil(() => a.Core.Authority > cluster.Now, 5);
    }

    [Fact]
    public void Changed_OfAnOlderRevision_IsPassedOver()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        int published = a.Published.Count;
        a.Core.Changed(new StoreChanges(2, [], ["members/a", "allocation"]), cluster.Now);
        a.Core.Changed(new StoreChanges(2, [], [], new StoreSnapshot(2, [])), cluster.Now);
        a.Core.Answered(new StoreRequest.List(""), new StoreAnswer.Listed(new StoreSnapshot(99, [])), cluster.Now);
        Assert.Equal(published, a.Published.Count);
        Assert.True(a.Core.Authority > cluster.Now);
    }
}
