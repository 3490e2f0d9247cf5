using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Membership;

/// <summary>Goal: a node acts only while the store can be sure that it is there, and knows what was allocated.</summary>
public sealed class ClusterControlAuthorityTests
{
    [Fact]
    public void Authority_OfAMember_EndsAMarginBeforeItsLease()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        a.Delay = () => 100;
        cluster.RunUntil(() => a.Authorities.Count > 0);
        long granted = Assert.Single(a.Authorities) - 4000;
        Assert.InRange(cluster.Now - granted, 300, 800);

        // The lease began when the grant arrived, 100 ms after it was sent.
        Assert.Equal(granted + 100 + 5000, cluster.Store.NextEnd);
        cluster.RunUntil(() => a.Authorities.Count > 1);
        Assert.Equal(cluster.Store.NextEnd - 1100, a.Authorities[1]);
        Assert.InRange(a.Authorities[1] - a.Authorities[0], 5000 / 3, 5000 / 3 + 110);
    }

    [Fact]
    public void Authority_OfACutOffMember_EndsBeforeItsShardsAreGivenAway()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        ControlNode b = cluster.Start("b");
        cluster.RunUntil(() => cluster.IsSettled());
        cluster.Run(3);
        a.IsCutOff = true;
        cluster.Run(0.1);
        long end = a.Core.Authority;
        cluster.RunUntil(() => cluster.PrimariesOf(a) == 0);
        Assert.Equal(end, a.Core.Authority);
        Assert.InRange(cluster.Now - end, 1000, 2500);

        // What it reads when it is back is the new allocation; authority comes after that.
        a.IsCutOff = false;
        int published = a.Published.Count;
        cluster.RunUntil(() => a.Core.Authority > cluster.Now);
        Assert.True(a.Published.Count > published);
        Assert.Equal(cluster.Allocation.Version, a.Core.Snapshot.Allocation.Version);
        Assert.Contains(0, a.Authorities);
        cluster.RunUntil(() => cluster.IsSettled() && cluster.PrimariesOf(a) == 4);
        Assert.Equal(0, b.Core.EmptiedShards);
    }

    [Fact]
    public void Authority_OfAMemberThatWasCutOffBriefly_GoesOnUnderTheSameLease()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        a.FailsAfter = 100;
        a.IsCutOff = true;
        cluster.Run(0.1);
        cluster.RunUntil(() => a.Core.Authority <= cluster.Now);
        a.IsCutOff = false;
        int before = a.Requests.Count;
        cluster.RunUntil(() => a.Core.Authority > cluster.Now, 2);
        Assert.DoesNotContain(a.Requests.Skip(before), request => request is StoreRequest.Grant);
        Assert.DoesNotContain(0, a.Authorities);
        Assert.Equal(1, cluster.Allocation.Version);
    }

    [Fact]
    public void Authority_OfANewMember_WaitsUntilItHasReadWhatWasAllocated()
    {
        ControlCluster cluster = new();
        cluster.Start("a");
        cluster.Run(2);
        ControlNode b = cluster.Start("b");
        cluster.RunUntil(() => b.Requests.OfType<StoreRequest.Grant>().Any());
        b.IsDeaf = true;
        cluster.Run(3);
        Assert.Contains(cluster.Store.List(StoreKeys.Members).Entries, entry => entry.Key == "members/b");
        Assert.Empty(b.Authorities);
        b.IsDeaf = false;
        cluster.RunUntil(() => b.Core.Authority > cluster.Now, 2);
        Assert.Equal(cluster.Allocation.Version, b.Core.Snapshot.Allocation.Version);
    }

    [Fact]
    public void Authority_OfALeaseThatEndedUnseen_EndsWithTheNextKeepAlive()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        a.IsDeaf = true;
        cluster.Store.Revoke(1, cluster.Now);
        int before = a.Requests.OfType<StoreRequest.KeepAlive>().Count();
        cluster.RunUntil(() => a.Requests.OfType<StoreRequest.KeepAlive>().Count() > before, 2, checkAuthority: false);
        cluster.Run(0.02, checkAuthority: false);
        Assert.Equal(0, a.Core.Authority);
    }

    [Fact]
    public void Pause_PastTheLease_RegistersAgainAsTheSameRunAndKeepsItsShards()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        a.IsPaused = true;
        cluster.Run(30);
        Assert.Empty(cluster.Store.List(StoreKeys.Members).Entries);
        a.IsPaused = false;
        cluster.RunUntil(() => a.Core.Authority > cluster.Now, 3);
        cluster.RunUntil(() => cluster.Coordinator == a.Id, 1);
        cluster.Run(10);
        Assert.Equal(1, cluster.Allocation.Version);
        Assert.Equal(0, a.Core.EmptiedShards);
    }

    [Fact]
    public void Record_ThatSomebodyDeletes_EndsAuthorityAndIsWrittenAgain()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        cluster.Store.Commit(new StoreTransaction([], [], ["members/a"]));
        cluster.Run(0.02);
        Assert.Equal(0, a.Core.Authority);
        cluster.Run(1);
        Assert.True(a.Core.Authority > cluster.Now);
    }
}
