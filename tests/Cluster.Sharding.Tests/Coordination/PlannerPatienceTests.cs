using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;

namespace Cluster.Sharding.Tests.Coordination;

/// <summary>Goal: what may be needed still is not given up early, and what nothing comes of is not waited for for ever.</summary>
public sealed class PlannerPatienceTests
{
    private const double Lease = PlannerHarness.LeaseMilliseconds / 1000.0;
    private const double Patience = AllocationPlanner.LearnerPatience / 1000.0;

    private static readonly Comparer<MemberId> ById = Comparer<MemberId>.Create((a, b) => string.CompareOrdinal(a.Node, b.Node));

    [Fact]
    public void Surplus_AfterAPlannedMove_IsKeptForOneLease()
    {
        PlannerHarness planner = Moved(out string last);
        planner.Run(Lease - 0.1);
        Assert.True(planner.Allocation[0].CopyOn(planner.Members[last].Id) is { InSync: true });
        planner.Run(0.2);
        Assert.Null(planner.Allocation[0].CopyOn(planner.Members[last].Id));
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).InSync);
        Assert.Null(planner.Step());
    }

    /// <summary>The next primary looked alive and was dead: the last one is promoted back.</summary>
    [Fact]
    public void Surplus_WhenTheNextPrimaryDies_IsThere()
    {
        PlannerHarness planner = Moved(out string last);
        ShardAssignment before = planner.Allocation[0];
        planner.Run(Lease - 0.1);
        planner.Members.Remove(before.Primary.Node);
        planner.Members.Remove(before.Replicas.Single(copy => copy.Member.Node != last).Member.Node);
        planner.Step();
        Assert.Equal((last, before.Term + 1, 0), (planner.Allocation[0].Primary.Node, planner.Allocation[0].Term, planner.Emptied));
    }

    /// <summary>The one that is right goes, and there are not too many any more: the lease is counted anew when there are again.</summary>
    [Fact]
    public void Surplus_WhenTheRightCopyFails_IsWaitedForAnew()
    {
        PlannerHarness planner = Moved(out string last);
        string right = planner.Allocation[0].Replicas.Single(copy => copy.Member.Node != last).Member.Node;
        planner.Run(Lease - 0.1);
        planner.Say(0, right, CopyState.Suspect);
        planner.Run(3 * Lease);
        Assert.Equal(last, Assert.Single(planner.Allocation[0].Replicas).Member.Node);

        // It is tried again, is filled, and from then on the other one is too many.
        planner.Run(0.2);
        planner.Fill();
        planner.Step();
        Assert.Equal(2, planner.Allocation[0].Replicas.Count);
        planner.Run(Lease - 0.1);
        Assert.Equal(2, planner.Allocation[0].Replicas.Count);
        planner.Run(0.2);
        Assert.Equal(right, Assert.Single(planner.Allocation[0].Replicas).Member.Node);
    }

    /// <summary>The primary, not the copies, is what the wait is about: another one has to prove itself as long.</summary>
    [Fact]
    public void Surplus_UnderAnotherCoordinator_IsWaitedForAnew()
    {
        PlannerHarness planner = Moved(out _);
        planner.Run(Lease - 0.1);
        planner.Planner = new AllocationPlanner(planner.Options);
        planner.Run(Lease - 0.1);
        Assert.Equal(2, planner.Allocation[0].Replicas.Count);
        planner.Run(0.2);
        Assert.Single(planner.Allocation[0].Replicas);
    }

    [Fact]
    public void Surplus_ThatIsNotInSync_IsGivenUpAtOnce()
    {
        PlannerHarness planner = new(1, replicas: 0);
        planner.Join("a");
        planner.Step();
        planner.Allocation = new ShardAllocation(
            2, [planner.Allocation[0] with { Replicas = [new ShardCopy(planner.Join("b").Id, 2, InSync: false)] }]);
        planner.Members["b"] = planner.Members["b"] with { HoldsShards = false };
        planner.Step();
        Assert.Empty(planner.Allocation[0].Replicas);
    }

    [Fact]
    public void Balance_WhileAShardHasNoCopyInSync_Waits()
    {
        PlannerHarness planner = new(8, movesInFlight: 16);
        Settle(planner, "a", "b", "c");
        ShardAllocation before = planner.Allocation;
        string copy = before[0].Replicas[0].Member.Node;

        // A newcomer, and a shard whose copy fails, with nobody but the newcomer to take it.
        planner.Join("d");
        planner.Say(0, copy, CopyState.Suspect);
        planner.Step();
        Assert.DoesNotContain(planner.Allocation[0].Replicas, replica => replica.InSync);
        for (int i = 0; i < 50; i++)
        {
            FillBut(planner, shard: 0);
            planner.Run(1);
            Assert.All(Enumerable.Range(0, 8), shard => Assert.Equal(before[shard].Primary, planner.Allocation[shard].Primary));
            Assert.All(Enumerable.Range(1, 7), shard => Assert.Contains(planner.Allocation[shard].Replicas, replica => replica.InSync));
        }

        // Once it has one, everything goes on.
        planner.Fill();
        planner.Step();
        planner.Step();
        Assert.InRange(planner.PrimariesOf("d"), 1, 2);
    }

    [Fact]
    public void Drain_WhileAShardHasNoCopyInSync_GoesOn()
    {
        PlannerHarness planner = new(8, movesInFlight: 16);
        Settle(planner, "a", "b", "c");
        int shard = Enumerable.Range(0, 8).First(i => planner.Allocation[i].Primary.Node == "b");
        planner.Say(shard, planner.Allocation[shard].Replicas[0].Member.Node, CopyState.Suspect);
        planner.Members["a"] = planner.Members["a"] with { Leaving = true };
        for (int i = 0; i < 20; i++)
        {
            FillBut(planner, shard);
            planner.Run(1);
        }

        Assert.DoesNotContain(planner.Allocation[shard].Replicas, replica => replica.InSync);
        Assert.Equal(0, planner.PrimariesOf("a"));
    }

    [Fact]
    public void Learner_ThatNeverCatchesUp_IsGivenUpAndTriedElsewhere()
    {
        PlannerHarness planner = new(1);
        Settle(planner, "a", "b", "c", "d");
        planner.Members.Remove(planner.Allocation[0].Replicas[0].Member.Node);
        planner.Step();
        ShardCopy first = Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner);
        planner.Run(Patience - 0.1);
        Assert.Equal(first, Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner));
        planner.Run(0.2);
        ShardCopy second = Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner);
        Assert.NotEqual(first.Member, second.Member);

        // Later the first one may be tried again; whichever catches up is enough.
        planner.Run(3 * Lease);
        Assert.Equal(
            new[] { first.Member, second.Member }.Order(ById),
            planner.Allocation[0].Replicas.Where(copy => copy.IsLearner).Select(copy => copy.Member).Order(ById));
        planner.Say(0, second.Member.Node, CopyState.CaughtUp);
        planner.Run(3 * Patience);
        Assert.Contains(second with { InSync = true }, planner.Allocation[0].Replicas);
        Assert.Equal((1u, 0), (planner.Allocation[0].Term, planner.Emptied));
    }

    [Fact]
    public void Learner_ThatNeverCatchesUp_WithNobodyElse_IsTriedAgainLater()
    {
        PlannerHarness planner = new(1);
        Settle(planner, "a");
        planner.Join("b");
        planner.Step();
        planner.Run(Patience + 0.1);
        Assert.Empty(planner.Allocation[0].Replicas);
        planner.Run(3 * Lease - 0.2);
        Assert.Empty(planner.Allocation[0].Replicas);
        planner.Run(0.2);
        ShardCopy again = Assert.Single(planner.Allocation[0].Replicas);

        // Another stay: it has all the time again.
        planner.Run(Patience - 1);
        Assert.Equal(again, Assert.Single(planner.Allocation[0].Replicas));
        planner.Fill();
        planner.Step();
        planner.Run(2 * Patience);
        Assert.Equal(again with { InSync = true }, Assert.Single(planner.Allocation[0].Replicas));
    }

    /// <summary>Learners that hang must not keep others from being filled for ever.</summary>
    [Fact]
    public void Learners_ThatHoldAllPlaces_MakeRoomForOthers()
    {
        PlannerHarness planner = new(4, movesInFlight: 2);
        Settle(planner, "a");
        planner.Join("b");
        planner.Step();
        int[] hung = [.. Learning(planner)];
        Assert.Equal(2, hung.Length);
        planner.Run(Patience - 0.1);
        Assert.Equal(hung, Learning(planner));
        planner.Run(0.2);
        Assert.Equal(2, Learning(planner).Except(hung).Count());
    }

    [Fact]
    public void Learner_UnderAnotherPrimary_HasAllTheTimeAgain()
    {
        PlannerHarness planner = new(1, replicas: 2);
        Settle(planner, "a", "b");
        planner.Join("c");
        planner.Run(Patience - 1);
        ShardCopy learner = Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner);
        planner.Members.Remove(planner.Allocation[0].Primary.Node);
        planner.Run(Patience - 1);
        Assert.Equal(learner, Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner));
        planner.Run(2);
        Assert.DoesNotContain(planner.Allocation[0].Replicas, copy => copy.IsLearner);
    }

    [Fact]
    public void Learner_GivenUpInAStepThatWasNotCommitted_IsGivenUpInTheNext()
    {
        PlannerHarness planner = new(1);
        Settle(planner, "a");
        planner.Join("b");
        planner.Run(Patience);
        planner.Now += 1000;
        Assert.NotNull(planner.Step(commit: false));
        Assert.Single(planner.Allocation[0].Replicas);
        planner.Now += 1000;
        Assert.NotNull(planner.Step());
        Assert.Empty(planner.Allocation[0].Replicas);
    }

    [Fact]
    public void Learner_ReportedCaughtUpLate_IsInSync()
    {
        PlannerHarness planner = new(1);
        Settle(planner, "a");
        planner.Join("b");
        planner.Run(Patience);
        planner.Now += 1000;
        planner.Fill();
        planner.Step();
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).InSync);
    }

    /// <summary>One shard of a leaving member right after its move: a primary, the right copy, and the last primary's.</summary>
    private static PlannerHarness Moved(out string last)
    {
        PlannerHarness planner = new(1);
        Settle(planner, "a", "b", "c");
        last = planner.Allocation[0].Primary.Node;
        planner.Members[last] = planner.Members[last] with { Leaving = true };
        for (int steps = 0; planner.Allocation[0].Primary.Node == last; steps++)
        {
            Assert.InRange(steps, 0, 10);
            planner.Fill();
            planner.Step();
        }

        Assert.Equal(2, planner.Allocation[0].Replicas.Count(copy => copy.InSync));
        return planner;
    }

    private static void Settle(PlannerHarness planner, params string[] members)
    {
        foreach (string member in members)
        {
            planner.Join(member);
        }

        planner.Settle();
    }

    /// <summary>Every learner catches up, but for those of one shard.</summary>
    private static void FillBut(PlannerHarness planner, int shard)
    {
        planner.Fill();
        planner.Reports.RemoveAll(report => report.Shard == shard && report.State == CopyState.CaughtUp);
    }

    private static IEnumerable<int> Learning(PlannerHarness planner) =>
        Enumerable.Range(0, planner.Allocation.ShardCount).Where(i => planner.Allocation[i].Replicas.Any(copy => copy.IsLearner));
}
