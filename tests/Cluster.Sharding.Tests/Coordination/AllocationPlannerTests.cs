using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Coordination;

public sealed class AllocationPlannerTests
{
    [Fact]
    public void Next_WithoutMembers_IsNothing() => Assert.Null(new PlannerHarness(4).Step());

    [Fact]
    public void Next_OfTheFirstMember_GivesItAllShardsWithTermOne()
    {
        PlannerHarness planner = new(4);
        planner.Join("a");
        planner.Step();
        Assert.Equal(1, planner.Allocation.Version);
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal(("a", 1u), (planner.Allocation[i].Primary.Node, planner.Allocation[i].Term)));
        Assert.Null(planner.Step());
        Assert.Equal(0, planner.Emptied);
    }

    [Fact]
    public void Next_WithASecondMember_FillsAFewAtATime()
    {
        PlannerHarness planner = new(16, movesInFlight: 3);
        planner.Join("a");
        planner.Step();
        planner.Join("b");
        planner.Step();
        Assert.Equal(3, planner.Learners(planner.Allocation));
        Assert.Null(planner.Step());
        planner.Fill();
        planner.Step();
        Assert.Equal((3, 3), (planner.CopiesOf("b") - 3, planner.Learners(planner.Allocation)));
    }

    [Fact]
    public void Next_WithAPrimaryThatDied_PromotesItsCopy()
    {
        PlannerHarness planner = new(6);
        Settle(planner, "a", "b", "c");
        ShardAllocation before = planner.Allocation;
        planner.Members.Remove("b");
        AllocationStep step = planner.Step()!;
        Assert.Equal(["b"], step.TakenForDead);
        for (int i = 0; i < 6; i++)
        {
            bool died = before[i].Primary.Node == "b";
            Assert.Equal(died ? before[i].Replicas[0].Member : before[i].Primary, step.Next[i].Primary);
            Assert.Equal(before[i].Term + (died ? 1u : 0u), step.Next[i].Term);
        }
    }

    [Fact]
    public void Next_WithAPrimaryThatDiedAndALearner_WaitsForOneLeaseAndBeginsEmpty()
    {
        PlannerHarness planner = new(1);
        planner.Join("a");
        planner.Step();
        planner.Join("b");
        planner.Step();
        planner.Members.Remove("a");
        planner.Run(9.9);
        Assert.Equal("a", planner.Allocation[0].Primary.Node);
        planner.Run(0.2);
        Assert.Equal(("b", 2u, 1), (planner.Allocation[0].Primary.Node, planner.Allocation[0].Term, planner.Emptied));
        Assert.True(planner.Allocation[0].FromNothing);
        Assert.Empty(planner.Allocation[0].Replicas);
    }

    [Fact]
    public void Next_WithPrimaryAndCopyGone_KeepsBothInMindUntilOneIsBack()
    {
        PlannerHarness planner = new(1);
        Settle(planner, "a", "b");
        string copy = planner.Allocation[0].Replicas[0].Member.Node;
        planner.Members.Clear();
        planner.Join("c");
        planner.Run(9);
        Assert.Equal(copy, planner.Allocation[0].Replicas[0].Member.Node);
        planner.Join(copy);
        planner.Step();
        Assert.Equal(copy, planner.Allocation[0].Primary.Node);
        Assert.Equal(0, planner.Emptied);
    }

    [Fact]
    public void Next_WithANewRunOfADeadNode_TakesTheOldOneForDead()
    {
        PlannerHarness planner = new(4);
        Settle(planner, "a", "b");
        planner.Join("a", incarnation: 2);
        AllocationStep step = planner.Step()!;
        Assert.Equal(["a"], step.TakenForDead);
        Assert.Equal(4, planner.PrimariesOf("b"));
        planner.Settle();
        Assert.Equal(2, planner.PrimariesOf("a"));
        Assert.Equal(0, planner.Emptied);
    }

    [Fact]
    public void Next_WithARecordThatCannotBeRead_TakesNobodyForDead()
    {
        PlannerHarness planner = new(4);
        Settle(planner, "a", "b");
        planner.Members.Remove("a");
        planner.Unknown.Add("a");
        planner.Run(60);
        Assert.Equal((2, 0), (planner.PrimariesOf("a"), planner.Emptied));
    }

    [Fact]
    public void Next_WithASuspectCopy_RemovesItAndFillsAnotherElsewhere()
    {
        PlannerHarness planner = new(3);
        Settle(planner, "a", "b", "c");
        ShardAssignment before = planner.Allocation[0];
        string copy = before.Replicas[0].Member.Node;
        planner.Say(0, copy, CopyState.Suspect);
        planner.Step();
        ShardCopy learner = Assert.Single(planner.Allocation[0].Replicas, replica => !replica.IsStale);
        Assert.NotEqual(copy, learner.Member.Node);
        Assert.Equal((planner.Allocation.Version, true), (learner.Since, learner.IsLearner));
        Assert.Equal(before.Term, planner.Allocation[0].Term);

        // Later it is tried again.
        planner.Fill();
        planner.Run(29);
        Assert.Equal(learner.Member, Assert.Single(planner.Allocation[0].Replicas).Member);
        planner.Settle();
        Assert.Equal(copy, Assert.Single(planner.Allocation[0].Replicas).Member.Node);
    }

    [Fact]
    public void Next_WithTheOnlyOtherMemberSuspect_WaitsBeforeItFillsItAgain()
    {
        PlannerHarness planner = new(2);
        Settle(planner, "a", "b");
        int shard = planner.Allocation[0].Primary.Node == "a" ? 0 : 1;
        planner.Say(shard, "b", CopyState.Suspect);
        planner.Step();
        planner.Release();
        planner.Run(29.9);
        Assert.True(Assert.Single(planner.Allocation[shard].Replicas).IsStale);
        planner.Run(0.3);
        Assert.True(Assert.Single(planner.Allocation[shard].Replicas).IsLearner);
    }

    [Theory]
    [InlineData(1u, 0)]
    [InlineData(0u, 1)]
    public void Next_WithAReportOfAnotherTermOrStay_IsNothing(uint term, long since)
    {
        PlannerHarness planner = new(1);
        planner.Join("a");
        planner.Step();
        planner.Join("b");
        planner.Step();
        ShardCopy copy = planner.Allocation[0].Replicas[0];
        planner.Reports.Add(new ShardReport(0, planner.Allocation[0].Term + term, copy.Member, copy.Since + since, CopyState.CaughtUp));
        planner.Reports.Add(new ShardReport(0, planner.Allocation[0].Term + term, copy.Member, copy.Since + since, CopyState.Suspect));
        Assert.Null(planner.Step());
    }

    [Fact]
    public void Next_OfAPlannedMove_HasAnotherCopyInSyncBesideBeforeTheSwap()
    {
        PlannerHarness planner = new(2);
        Settle(planner, "a", "b");
        planner.Join("c");
        planner.Join("d");
        for (int steps = 0; steps < 40; steps++)
        {
            planner.Fill();
            planner.Step();
            for (int i = 0; i < 2; i++)
            {
                Assert.Contains(planner.Allocation[i].Replicas, copy => copy.InSync);
            }
        }

        Assert.Null(planner.Step());
    }

    [Fact]
    public void Next_OfADrainWithThreeMembers_LeavesNoShardWithoutACopy()
    {
        PlannerHarness planner = new(9);
        Settle(planner, "a", "b", "c");
        planner.Members["a"] = planner.Members["a"] with { Leaving = true };
        for (int steps = 0; planner.PrimariesOf("a") + planner.CopiesOf("a") > 0; steps++)
        {
            Assert.InRange(steps, 0, 60);
            planner.Now += 1000;
            planner.Fill();
            planner.Step();
            Assert.All(Enumerable.Range(0, 9), i => Assert.Contains(planner.Allocation[i].Replicas, copy => copy.InSync));
        }

        planner.Settle();
        Assert.InRange(planner.PrimariesOf("b"), 4, 5);
        Assert.Equal(0, planner.Emptied);
    }

    [Fact]
    public void Next_OfADrainWithTwoMembers_GivesAllToTheOther()
    {
        PlannerHarness planner = new(8);
        Settle(planner, "a", "b");
        planner.Members["a"] = planner.Members["a"] with { Leaving = true };
        planner.Settle();
        Assert.Equal((8, 0, 0), (planner.PrimariesOf("b"), planner.CopiesOf("a"), planner.PrimariesOf("a")));
    }

    [Fact]
    public void Next_AfterADeathOfOneOfThree_FillsBeforeItMoves()
    {
        PlannerHarness planner = new(12, movesInFlight: 4);
        Settle(planner, "a", "b", "c");
        planner.Members.Remove("a");
        AllocationStep step = planner.Step()!;
        Assert.Equal(4, planner.Learners(step.Next));
        int unprotected = Enumerable.Range(0, 12).Count(i => !planner.Allocation[i].Replicas.Any(copy => copy.InSync));
        Assert.InRange(unprotected, 8, 8);
        planner.Settle();
        Assert.All(Enumerable.Range(0, 12), i => Assert.True(Assert.Single(planner.Allocation[i].Replicas).InSync));
    }

    [Fact]
    public void Next_OfGrowingClusters_MovesOnlyWhatIsNeeded()
    {
        PlannerHarness planner = new(128, movesInFlight: 16);
        Settle(planner, "a", "b");
        foreach ((string name, int share) in new[] { ("c", 43), ("d", 32) })
        {
            ShardAllocation before = planner.Allocation;
            planner.Join(name);
            planner.Settle();
            int moved = Enumerable.Range(0, 128).Count(i => planner.Allocation[i].Primary != before[i].Primary);
            long terms = Enumerable.Range(0, 128).Sum(i => planner.Allocation[i].Term - (long)before[i].Term);
            Assert.InRange(moved, share - 1, share);
            Assert.Equal(moved, terms);
            Assert.InRange(planner.PrimariesOf(name), share - 1, share);
            Assert.InRange(planner.CopiesOf(name), share - 1, share + 1);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(0, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    public void Next_UnderRandomChanges_KeepsItsRulesAndSettles(int replicas, int minInSync)
    {
        int stalePromotions = 0;
        for (int seed = 1; seed <= 40; seed++)
        {
            Random random = new(seed);
            PlannerHarness planner = new(random.Next(1, 24), replicas, random.Next(1, 8), minInSync);
            Dictionary<string, Member> asleep = [];
            ulong run = 0;
            for (int step = 0; step < 150; step++)
            {
                Disturb(planner, asleep, random, ref run);
                planner.Now += random.Next(2000);
                planner.Step(commit: random.Next(5) > 0);
            }

            // One that stays, so that there is somebody.
            planner.Join("z", ++run);
            planner.Settle();
            Member[] hosts = [.. planner.Members.Values.Where(member => !member.Leaving)];
            int copies = Math.Min(replicas, hosts.Length - 1);
            for (int i = 0; i < planner.Allocation.ShardCount; i++)
            {
                ShardAssignment shard = planner.Allocation[i];
                Assert.Contains(hosts, host => host.Id == shard.Primary);
                Assert.Equal(copies, shard.Replicas.Count);
                Assert.All(shard.Replicas, copy => Assert.True(copy.InSync && hosts.Any(host => host.Id == copy.Member)));
            }

            double share = (double)planner.Allocation.ShardCount / hosts.Length;
            Assert.All(hosts, host => Assert.InRange(planner.PrimariesOf(host.Id.Node), Math.Floor(share), Math.Ceiling(share)));

            // Another coordinator has nothing to change.
            planner.Planner = new AllocationPlanner(planner.Options);
            Assert.Null(planner.Step());
            stalePromotions += planner.StalePromotions;
        }

        Assert.True(replicas == 0 || stalePromotions > 0, "no stale copy was ever needed");
    }

    private static void Settle(PlannerHarness planner, params string[] members)
    {
        foreach (string member in members)
        {
            planner.Join(member);
        }

        planner.Settle();
    }

    private static void Disturb(PlannerHarness planner, Dictionary<string, Member> asleep, Random random, ref ulong run)
    {
        string name = $"n{random.Next(6)}";
        switch (random.Next(10))
        {
            case 0:
                // Joins, or is there again as another run.
                planner.Join(name, ++run);
                asleep.Remove(name);
                break;
            case 1 when planner.Members.Remove(name, out Member? member):
                asleep[name] = member;
                break;
            case 2 when asleep.Remove(name, out Member? member):
                planner.Members[name] = member;
                break;
            case 3 when planner.Members.TryGetValue(name, out Member? member) && random.Next(3) == 0:
                planner.Members[name] = member with { Leaving = true };
                break;
            case 4:
                planner.Planner.Forget();
                break;
            case 5 or 6:
                planner.Fill();
                break;
            case 7:
                planner.Release();
                break;
            case 8:
                int shard = random.Next(planner.Allocation.ShardCount);
                foreach (ShardCopy copy in planner.Allocation[shard].Replicas.Where(copy => !copy.IsStale && random.Next(2) == 0))
                {
                    planner.Reports.Add(new ShardReport(shard, planner.Allocation[shard].Term, copy.Member, copy.Since, CopyState.Suspect));
                }

                break;
        }
    }
}
