using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Coordination;

/// <summary>
/// Goal: the last copy in sync that fails, and a primary that is lost, are kept until somebody beside the primary has everything, and are there
/// when that one is lost.
/// </summary>
public sealed class PlannerStaleTests
{
    private const double Lease = PlannerHarness.LeaseMilliseconds / 1000.0;

    [Fact]
    public void LastCopy_Suspect_IsKeptAsItIs()
    {
        PlannerHarness planner = Settled(1, "a", "b");
        ShardCopy copy = Assert.Single(planner.Allocation[0].Replicas);
        planner.Say(0, copy.Member.Node, CopyState.Suspect);
        planner.Step();
        Assert.Equal(copy with { InSync = false, IsStale = true }, Assert.Single(planner.Allocation[0].Replicas));
        planner.Run(10 * Lease);
        Assert.Equal(copy with { InSync = false, IsStale = true }, Assert.Single(planner.Allocation[0].Replicas));
    }

    [Fact]
    public void LastCopy_Dead_IsKept_AndItsDeathIsACondition()
    {
        PlannerHarness planner = Settled(1, "a", "b");
        ShardCopy copy = Assert.Single(planner.Allocation[0].Replicas);
        planner.Members.Remove(copy.Member.Node);
        Assert.Equal([copy.Member.Node], planner.Step()!.TakenForDead);
        Assert.Equal(copy with { InSync = false, IsStale = true }, Assert.Single(planner.Allocation[0].Replicas));
        Assert.Null(planner.Step());
    }

    [Fact]
    public void LastCopy_OfARunThatAnotherReplaced_Goes()
    {
        PlannerHarness planner = Settled(1, "a", "b");
        ShardCopy copy = Assert.Single(planner.Allocation[0].Replicas);
        planner.Join(copy.Member.Node, incarnation: 2);
        planner.Step();
        ShardCopy learner = Assert.Single(planner.Allocation[0].Replicas);
        Assert.True(learner.IsLearner && learner.Member != copy.Member);
    }

    [Fact]
    public void StaleCopy_OfARunThatAnotherReplaced_Goes()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b");
        planner.Members.Remove(stale.Member.Node);
        planner.Run(1);
        Assert.Equal(stale, Assert.Single(planner.Allocation[0].Replicas));
        planner.Join(stale.Member.Node, incarnation: 2);
        Assert.Equal([stale.Member.Node], planner.Step()!.TakenForDead);
        Assert.DoesNotContain(stale, planner.Allocation[0].Replicas);
    }

    [Fact]
    public void LastCopies_ThatFailTogether_AreAllKept()
    {
        PlannerHarness planner = Settled(2, "a", "b", "c");
        planner.Say(0, planner.Allocation[0].Replicas[0].Member.Node, CopyState.Suspect);
        planner.Members.Remove(planner.Allocation[0].Replicas[1].Member.Node);
        planner.Step();
        Assert.Equal(2, planner.Allocation[0].Replicas.Count(copy => copy.IsStale));
    }

    [Fact]
    public void Copy_ThatFailsBesideAnother_Goes()
    {
        PlannerHarness planner = Settled(2, "a", "b", "c");
        ShardCopy failed = planner.Allocation[0].Replicas[0];
        planner.Say(0, failed.Member.Node, CopyState.Suspect);
        planner.Step();
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).InSync);
    }

    [Fact]
    public void StaleCopy_WhenAnotherIsInSync_Goes()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b", "c");
        Assert.Equal(2, planner.Allocation[0].Replicas.Count);
        Assert.Contains(stale, planner.Allocation[0].Replicas);
        planner.Fill();
        planner.Step();
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).InSync);
    }

    [Fact]
    public void StaleCopy_WhenItsPrimaryIsLost_TakesOverAfterOneLease()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b", "c");
        ShardAssignment before = planner.Allocation[0];
        planner.Members.Remove(before.Primary.Node);
        planner.Run(Lease - 0.1);
        Assert.Equal(before.Primary, planner.Allocation[0].Primary);
        planner.Now += 200;
        AllocationStep step = planner.Step()!;
        Assert.Contains(before.Primary.Node, step.TakenForDead);
        Assert.Equal((stale.Member, before.Term + 1, false), (step.Next[0].Primary, step.Next[0].Term, step.Next[0].FromNothing));
        Assert.All(step.Next[0].Replicas, copy => Assert.True(copy.IsLearner));
        Assert.Equal((0, 1), (planner.Emptied, planner.StalePromotions));
    }

    [Fact]
    public void StaleCopy_WhenItsPrimaryComesBackInTime_GoesOnAsItWas()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b");
        ShardAssignment before = planner.Allocation[0];
        planner.Members.Remove(before.Primary.Node);
        planner.Run(Lease - 0.1);
        planner.Join(before.Primary.Node);
        planner.Run(Lease);
        Assert.Equal((before.Primary, before.Term), (planner.Allocation[0].Primary, planner.Allocation[0].Term));
        Assert.Equal(stale, Assert.Single(planner.Allocation[0].Replicas));
    }

    [Fact]
    public void StaleCopy_ThatIsLostWithItsPrimary_LeavesTheShardEmpty()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b", "c");
        planner.Members.Remove(planner.Allocation[0].Primary.Node);
        planner.Members.Remove(stale.Member.Node);
        planner.Run(Lease + 0.1);
        Assert.True(planner.Allocation[0].FromNothing);
        Assert.Equal((1, 0), (planner.Emptied, planner.StalePromotions));
    }

    [Fact]
    public void StaleCopy_OnTheOnlyOtherMember_IsFilledAnewOnceItIsReleased()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b");
        planner.Run(4 * Lease);
        Assert.Equal(stale, Assert.Single(planner.Allocation[0].Replicas));
        planner.Release();
        planner.Step();
        ShardCopy learner = Assert.Single(planner.Allocation[0].Replicas);
        Assert.Equal(new ShardCopy(stale.Member, planner.Allocation.Version, InSync: false), learner);
        Assert.NotEqual(stale.Since, learner.Since);
    }

    [Fact]
    public void StaleCopy_WhileAnotherIsFilled_IsKept()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b", "c");
        planner.Release();
        planner.Run(4 * Lease);
        Assert.Contains(stale, planner.Allocation[0].Replicas);
        Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner);

        // The other one fails: this is the one that is left.
        planner.Say(0, planner.Allocation[0].Replicas.Single(copy => copy.IsLearner).Member.Node, CopyState.Suspect);
        planner.Step();
        Assert.Equal(stale.Member, Assert.Single(planner.Allocation[0].Replicas).Member);
        Assert.True(planner.Allocation[0].Replicas[0].IsLearner);
    }

    [Fact]
    public void StaleCopy_OnAMemberThatLeaves_GoesOnceItIsReleased()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b");
        planner.Members[stale.Member.Node] = planner.Members[stale.Member.Node] with { Leaving = true };
        planner.Run(4 * Lease);
        Assert.Equal(stale, Assert.Single(planner.Allocation[0].Replicas));
        planner.Release();
        planner.Step();
        Assert.Empty(planner.Allocation[0].Replicas);
    }

    [Fact]
    public void StaleCopy_OnTheMemberThatTheShardMovesTo_DoesNotKeepADrainFromItsEnd()
    {
        PlannerHarness planner = Stale(out ShardCopy stale, "a", "b");
        string primary = planner.Allocation[0].Primary.Node;
        planner.Members[primary] = planner.Members[primary] with { Leaving = true };
        planner.Settle();
        Assert.Equal(stale.Member, planner.Allocation[0].Primary);
        Assert.Empty(planner.Allocation[0].Replicas);
        Assert.Equal((0, 0), (planner.Emptied, planner.StalePromotions));
    }

    [Fact]
    public void LostPrimary_WithNoCopyInSyncBesideTheNext_IsKept()
    {
        PlannerHarness planner = Settled(1, "a", "b");
        ShardAssignment before = planner.Allocation[0];
        planner.Members.Remove(before.Primary.Node);
        planner.Step();
        Assert.Equal((before.Replicas[0].Member, before.Term + 1), (planner.Allocation[0].Primary, planner.Allocation[0].Term));
        ShardCopy stale = new(before.Primary, planner.Allocation.Version, InSync: false, IsStale: true);
        Assert.Equal(stale, Assert.Single(planner.Allocation[0].Replicas));
        planner.Run(10 * Lease);
        Assert.Equal(stale, Assert.Single(planner.Allocation[0].Replicas));
    }

    [Fact]
    public void LostPrimary_OfARunThatAnotherReplaced_IsNotKept()
    {
        PlannerHarness planner = Settled(1, "a", "b");
        MemberId lost = planner.Allocation[0].Primary;
        planner.Join(lost.Node, incarnation: 2);
        planner.Step();
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).IsLearner);
        Assert.Null(planner.Allocation[0].CopyOn(lost));
    }

    [Fact]
    public void LostPrimary_WithACopyInSyncBesideTheNext_IsNotKept()
    {
        PlannerHarness planner = Settled(2, "a", "b", "c");
        planner.Members.Remove(planner.Allocation[0].Primary.Node);
        planner.Step();
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).InSync);
    }

    [Fact]
    public void LostPrimary_WithACopyInSyncLostToo_BothAreKept()
    {
        PlannerHarness planner = Settled(2, "a", "b", "c");
        ShardAssignment before = planner.Allocation[0];
        planner.Members.Remove(before.Primary.Node);
        planner.Members.Remove(before.Replicas[0].Member.Node);
        planner.Step();
        Assert.Equal(before.Replicas[1].Member, planner.Allocation[0].Primary);
        Assert.Equal(
            [before.Replicas[0] with { InSync = false, IsStale = true }, new ShardCopy(before.Primary, planner.Allocation.Version, false, IsStale: true)],
            planner.Allocation[0].Replicas);
    }

    /// <summary>Two leases are lost one after the other; nobody died.</summary>
    [Fact]
    public void LostPrimary_WhenTheNextIsLostToo_TakesOverAfterOneLease()
    {
        PlannerHarness planner = Settled(1, "a", "b", "c");
        ShardAssignment before = planner.Allocation[0];
        planner.Members.Remove(before.Primary.Node, out Member? lost);
        planner.Step();
        Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsLearner);
        planner.Members.Remove(planner.Allocation[0].Primary.Node);
        planner.Members[before.Primary.Node] = lost!;
        planner.Run(Lease - 0.1);
        Assert.Equal(before.Term + 1, planner.Allocation[0].Term);
        planner.Now += 200;
        AllocationStep step = planner.Step()!;
        Assert.Equal((before.Primary, before.Term + 2, false), (step.Next[0].Primary, step.Next[0].Term, step.Next[0].FromNothing));
        Assert.All(step.Next[0].Replicas, copy => Assert.True(copy.IsLearner));
        Assert.Equal((0, 1), (planner.Emptied, planner.StalePromotions));
    }

    [Fact]
    public void LostPrimary_ThatIsBackAfterAnotherCopyIsInSync_IsNotKept()
    {
        PlannerHarness planner = Settled(1, "a", "b", "c");
        MemberId lost = planner.Allocation[0].Primary;
        planner.Members.Remove(lost.Node);
        planner.Step();
        Assert.Equal(2, planner.Allocation[0].Replicas.Count);
        planner.Fill();
        planner.Step();
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).InSync);
        Assert.Null(planner.Allocation[0].CopyOn(lost));
    }

    [Fact]
    public void LostPrimary_ThatIsBackAndReleased_IsNotFilledAnewBeforeAnotherIs()
    {
        PlannerHarness planner = new(6, movesInFlight: 1);
        Member lost = planner.Join("a");
        planner.Join("b");
        planner.Join("c");
        planner.Settle();
        planner.Members.Remove("a");
        planner.Step();
        planner.Members["a"] = lost;
        for (int steps = 0; steps < 60; steps++)
        {
            planner.Release();
            planner.Now += 100;
            planner.Step();
            Assert.All(Enumerable.Range(0, 6), i => Assert.True(
                planner.Allocation[i].CopyOn(lost.Id) is not { IsLearner: true } || planner.Allocation[i].Replicas.Any(copy => copy.InSync)));
            planner.Fill();
        }

        planner.Settle();
        Assert.Equal((2, 2, 0), (planner.PrimariesOf("a"), planner.CopiesOf("a"), planner.Emptied));
    }

    [Fact]
    public void LostPrimary_ThatNeverComesBack_DoesNotKeepADrainFromItsEnd()
    {
        PlannerHarness planner = Settled(1, "a", "b", "c");
        planner.Members.Remove(planner.Allocation[0].Primary.Node);
        planner.Step();
        string primary = planner.Allocation[0].Primary.Node;
        planner.Members[primary] = planner.Members[primary] with { Leaving = true };
        planner.Settle();
        Assert.NotEqual(primary, planner.Allocation[0].Primary.Node);
        Assert.Empty(planner.Allocation[0].Replicas);
        Assert.Equal((0, 0), (planner.Emptied, planner.StalePromotions));
    }

    [Fact]
    public void LostPrimary_ThatIsBackAndDrains_GoesOnceItIsReleased()
    {
        PlannerHarness planner = Settled(1, "a", "b");
        planner.Members.Remove(planner.Allocation[0].Primary.Node, out Member? lost);
        planner.Step();
        planner.Members[lost!.Id.Node] = lost with { Leaving = true };
        planner.Run(4 * Lease);
        Assert.True(Assert.Single(planner.Allocation[0].Replicas).IsStale);
        planner.Release();
        planner.Step();
        Assert.Empty(planner.Allocation[0].Replicas);
    }

    /// <summary>A shard, with one copy wanted, whose copy was reported as suspect.</summary>
    private static PlannerHarness Stale(out ShardCopy stale, params string[] members)
    {
        PlannerHarness planner = Settled(1, members);
        planner.Say(0, planner.Allocation[0].Replicas[0].Member.Node, CopyState.Suspect);
        planner.Step();
        stale = Assert.Single(planner.Allocation[0].Replicas, copy => copy.IsStale);
        return planner;
    }

    private static PlannerHarness Settled(int replicas, params string[] members)
    {
        PlannerHarness planner = new(1, replicas);
        foreach (string member in members)
        {
            planner.Join(member);
        }

        planner.Settle();
        return planner;
    }
}
