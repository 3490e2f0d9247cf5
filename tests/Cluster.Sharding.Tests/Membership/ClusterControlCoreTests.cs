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

    [Fact]
    public void Lease_OfADeadCoordinator_EndsAndAnotherPromotesItsCopies()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        ControlNode b = cluster.Start("b");
        ControlNode c = cluster.Start("c");
        cluster.Run(30);
        Assert.True(cluster.IsSettled());
        Assert.Equal(a.Id, cluster.Coordinator);
        ShardAllocation before = cluster.Allocation;
        long killed = cluster.Now;

        a.Kill();
        cluster.RunUntil(() => Enumerable.Range(0, 8).All(i => cluster.Allocation[i].Primary != a.Id));
        Assert.InRange(cluster.Now - killed, 0, 5000 + 500);
        for (int i = 0; i < 8; i++)
        {
            ShardAssignment was = before[i];
            ShardAssignment now = cluster.Allocation[i];
            Assert.Contains(now.Primary, new[] { b.Id, c.Id });
            if (was.Primary == a.Id)
            {
                // Promoted, and perhaps moved on by plan, since a copy in sync is there already.
                Assert.True(now.Term > was.Term);
            }
        }

        cluster.RunUntil(() => cluster.IsSettled());
        Assert.Contains(cluster.Coordinator, new[] { b.Id, c.Id });
        Assert.Equal(0, b.Core.EmptiedShards + c.Core.EmptiedShards);
    }

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
    public void Commit_OfAnAllocation_IsBoundToEverythingItWasBuiltOn()
    {
        ControlCluster cluster = new();
        ControlNode a = cluster.Start("a");
        cluster.Run(2);
        ControlNode b = cluster.Start("b");
        ControlNode c = cluster.Start("c");
        cluster.Run(30);
        cluster.RunUntil(() => cluster.IsSettled());
        long allocated = Assert.Single(cluster.Store.List(StoreKeys.Allocation).Entries).ModifyRevision;
        a.Kill();
        ControlNode again = cluster.Start("a", incarnation: 2);
        b.Requests.Clear();
        c.Requests.Clear();
        cluster.RunUntil(() => cluster.PrimariesOf(a) == 0);
        StoreTransaction promotion = b.Requests.Concat(c.Requests).Concat(again.Requests)
            .OfType<StoreRequest.Commit>()
            .Select(request => request.Transaction)
            .First(transaction => transaction.Puts[0].Key == StoreKeys.Allocation && transaction.Conditions.Any(condition => condition.Key == "members/a"));
        long elected = Assert.Single(cluster.Store.List(StoreKeys.Coordinator).Entries).ModifyRevision;
        Assert.Equal(["allocation", "coordinator", "members/a"], promotion.Conditions.Select(condition => condition.Key));
        Assert.InRange(promotion.Conditions[0].ModifyRevision, allocated, long.MaxValue);
        Assert.Equal(elected, promotion.Conditions[1].ModifyRevision);
        StoreEntry? record = cluster.Store.List("members/a").Entries.SingleOrDefault();
        Assert.Contains(promotion.Conditions[2].ModifyRevision, new[] { 0, record?.ModifyRevision ?? 0 });
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
    public void Shards_WithoutAnyHolder_BeginEmptyAfterOneLease()
    {
        ControlCluster cluster = new(replicas: 0);
        ControlNode a = cluster.Start("a");
        cluster.RunUntil(() => a.Core.Authority > 0);
        ControlNode b = cluster.Start("b");
        cluster.Run(20);
        Assert.Equal(4, cluster.PrimariesOf(b));
        a.Kill();
        cluster.RunUntil(() => cluster.Coordinator == b.Id);
        long elected = cluster.Now;
        cluster.RunUntil(() => cluster.PrimariesOf(b) == 8);
        Assert.InRange(cluster.Now - elected, 5000, 5500);
        cluster.Run(0.1);
        Assert.Equal(4, b.Core.EmptiedShards);
    }

    [Fact]
    public void Shards_WhoseHolderComesBackInTime_KeepIt()
    {
        ControlCluster cluster = new(replicas: 0);
        ControlNode a = cluster.Start("a");
        cluster.RunUntil(() => a.Core.Authority > 0);
        ControlNode b = cluster.Start("b");
        cluster.Run(20);
        long version = cluster.Allocation.Version;
        a.IsPaused = true;
        cluster.Run(7);
        a.IsPaused = false;
        cluster.Run(20);
        Assert.Equal(version, cluster.Allocation.Version);
        Assert.Equal(0, b.Core.EmptiedShards);
    }

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

    [Fact]
    public void Cluster_UnderRandomFaults_NeverBreaksARuleAndSettles()
    {
        for (int seed = 1; seed <= 35; seed++)
        {
            Random random = new(seed);
            ControlCluster cluster = new(shards: 6, history: 20);
            ulong run = 0;
            foreach (string name in new[] { "a", "b", "c", "d" })
            {
                Disturb(cluster.Start(name, ++run), random);
            }

            for (int round = 0; round < 15; round++)
            {
                ControlNode node = cluster.Nodes[random.Next(cluster.Nodes.Count)];
                switch (random.Next(6))
                {
                    case 0:
                        node.IsPaused = true;
                        break;
                    case 1:
                        node.IsCutOff = true;
                        break;
                    case 2:
                        node.Hangs = true;
                        break;
                    case 3:
                        node.Kill();
                        Disturb(cluster.Start(node.Id.Node, ++run), random);
                        break;
                    case 4:
                        node.IsPaused = node.IsCutOff = node.Hangs = false;
                        break;
                }

                cluster.Run(random.NextDouble() * 6);
            }

            foreach (ControlNode node in cluster.Nodes)
            {
                node.IsPaused = node.IsCutOff = node.Hangs = false;
                node.LosesAnswer = () => false;
            }

            cluster.RunUntil(
                () => cluster.IsSettled() && cluster.Nodes.All(node => node.Core.Authority > cluster.Now), 90, $"settled with seed {seed}");
            cluster.Run(15);
            long version = cluster.Allocation.Version;
            cluster.Run(10);
            Assert.Equal(version, cluster.Allocation.Version);
            Assert.All(cluster.Nodes, node => Assert.InRange(cluster.PrimariesOf(node), 1, 2));
            Assert.All(cluster.Nodes, node => Assert.Null(node.Rejection));
        }
    }

    private static void Disturb(ControlNode node, Random random)
    {
        node.Delay = () => random.Next(100) < 2 ? random.Next(2000) : random.Next(30);
        node.LosesAnswer = () => random.Next(20) == 0;
    }
}
