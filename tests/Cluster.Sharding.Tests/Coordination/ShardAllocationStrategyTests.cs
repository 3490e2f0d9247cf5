using System.Diagnostics;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Coordination;

public sealed class ShardAllocationStrategyTests
{
    [Fact]
    public void Compute_OfNobody_IsNobody()
    {
        ShardTarget[] targets = ShardAllocationStrategy.Compute([], ShardAllocation.Unowned(8), 1);
        Assert.All(targets, target => Assert.True(target.Primary.IsNone && target.Copies.Count == 0));
    }

    [Fact]
    public void Compute_OfOneMember_IsThatOneWithoutCopies()
    {
        Member a = NewMember("a");
        Assert.All(ShardAllocationStrategy.Compute([a], ShardAllocation.Unowned(8), 2), target =>
        {
            Assert.Equal(a.Id, target.Primary);
            Assert.Empty(target.Copies);
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Compute_OfGrowingClusters_MovesOnlyWhatTheNewcomerNeeds(int replicas)
    {
        ShardAllocation allocation = ShardAllocation.Unowned(128);
        List<Member> members = [];
        for (int count = 1; count <= 7; count++)
        {
            members.Add(NewMember($"n{count}"));
            ShardAllocation before = allocation;
            ShardTarget[] targets = ShardAllocationStrategy.Compute(members, before, replicas);
            allocation = Apply(targets);
            AssertBalanced(members, targets, Math.Min(replicas, count - 1));

            int moved = 0;
            int added = 0;
            for (int i = 0; i < 128; i++)
            {
                moved += targets[i].Primary != before[i].Primary ? 1 : 0;
                added += targets[i].Copies.Count(copy => before[i].CopyOn(copy) is null);
            }

            int share = (128 + count - 1) / count;
            Assert.InRange(moved, count == 1 ? 128 : 128 / count, share);
            if (count > replicas + 1)
            {
                int copies = 128 * replicas / count;
                Assert.InRange(added, copies, copies + 1 + share);
            }

            AssertSame(targets, ShardAllocationStrategy.Compute(members, allocation, replicas));
        }
    }

    [Fact]
    public void Compute_AfterADeath_MovesNothingThatIsAlive()
    {
        List<Member> members = [NewMember("a"), NewMember("b"), NewMember("c"), NewMember("d")];
        ShardAllocation before = Apply(ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(128), 1));
        members.RemoveAt(1);
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, before, 1);
        AssertBalanced(members, targets, 1);
        for (int i = 0; i < 128; i++)
        {
            if (before[i].Primary.Node != "b")
            {
                Assert.Equal(before[i].Primary, targets[i].Primary);
            }
        }
    }

    [Fact]
    public void Compute_WithALeavingMember_EmptiesIt()
    {
        List<Member> members = [NewMember("a"), NewMember("b"), NewMember("c")];
        ShardAllocation before = Apply(ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(30), 1));
        members[0] = members[0] with { Leaving = true };
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, before, 1);
        AssertBalanced(members.Skip(1), targets, 1);
        for (int i = 0; i < 30; i++)
        {
            // Whoever has a copy takes the primary's place.
            if (before[i].Primary.Node == "a")
            {
                Assert.Equal(before[i].Replicas[0].Member, targets[i].Primary);
            }
        }
    }

    [Fact]
    public void Compute_OfAFreshCluster_SpreadsAMembersCopiesOverTheOthers()
    {
        Member[] members = [.. Enumerable.Range(0, 5).Select(i => NewMember($"n{i}"))];
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(100), 1);
        Assert.All(targets.GroupBy(target => (target.Primary, target.Copies[0])), pair => Assert.Equal(5, pair.Count()));
    }

    [Fact]
    public void Compute_WithOnlyLeavingMembers_LeavesEverythingWhereItIs()
    {
        List<Member> members = [NewMember("a"), NewMember("b")];
        ShardTarget[] before = ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(8), 1);
        Member[] leaving = [.. members.Select(member => member with { Leaving = true })];
        AssertSame(before, ShardAllocationStrategy.Compute(leaving, Apply(before), 1));
    }

    [Fact]
    public void Compute_WithGateways_GivesThemNothing()
    {
        Member[] members = [NewMember("a") with { HoldsShards = false }, NewMember("b")];
        Assert.All(ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(8), 1), target => Assert.Equal("b", target.Primary.Node));
    }

    [Fact]
    public void Compute_WithCapacities_SharesByThem()
    {
        Member[] members = [NewMember("a") with { Capacity = 2 }, NewMember("b"), NewMember("c")];
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(128), 1);
        AssertBalanced(members, targets, 1);
        Assert.Equal(64, targets.Count(target => target.Primary.Node == "a"));
        Assert.Equal(64, targets.Count(target => target.Copies[0].Node == "a"));
    }

    [Fact]
    public void Compute_WithOneLargeMember_GivesItNoMoreCopiesThanItMayHave()
    {
        Member[] members = [NewMember("a") with { Capacity = 8 }, NewMember("b"), NewMember("c")];
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(100), 1);
        AssertValid(targets, 1);
        Assert.Equal([80, 10, 10], members.Select(member => targets.Count(target => target.Primary == member.Id)));
        Assert.Equal([20, 40, 40], members.Select(member => targets.Count(target => target.Copies.Contains(member.Id))));
    }

    [Fact]
    public void Compute_WithZones_PutsEveryCopyIntoAnother()
    {
        Member[] members = [.. Enumerable.Range(0, 6).Select(i => NewMember($"n{i}") with { Zone = $"z{i % 3}" })];
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(128), 2);
        AssertBalanced(members, targets, 2);

        // Shares are rounded without a look at zones.
        Assert.InRange(targets.Count(target => Zones(members, target) == 3), 126, 128);
    }

    [Fact]
    public void Compute_WithAZoneThatIsTooSmall_KeepsTheSharesAndChangesNothingAgain()
    {
        Member[] members = [.. Enumerable.Range(0, 10).Select(i => NewMember($"n{i}") with { Zone = i == 0 ? "small" : "large" })];
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(100), 1);
        AssertBalanced(members, targets, 1);
        Assert.Equal(20, targets.Count(target => Zones(members, target) == 2));
        AssertSame(targets, ShardAllocationStrategy.Compute(members, Apply(targets), 1));
    }

    [Fact]
    public void Compute_WhenAZoneAppears_MovesCopiesThere()
    {
        List<Member> members = [NewMember("a") with { Zone = "1" }, NewMember("b") with { Zone = "1" }];
        ShardAllocation before = Apply(ShardAllocationStrategy.Compute(members, ShardAllocation.Unowned(30), 1));
        members.Add(NewMember("c") with { Zone = "2" });
        ShardTarget[] targets = ShardAllocationStrategy.Compute(members, before, 1);
        AssertBalanced(members, targets, 1);
        Assert.Equal(20, targets.Count(target => Zones(members, target) == 2));
    }

    [Fact]
    public void Compute_OfRandomClusters_IsValidBalancedAndStable()
    {
        Random random = new(7);
        for (int round = 0; round < 100; round++)
        {
            int shards = random.Next(1, 200);
            int replicas = random.Next(4);
            ShardAllocation allocation = ShardAllocation.Unowned(shards);
            List<Member> members = [];
            for (int step = 0; step < 4; step++)
            {
                members = [.. members.Where(_ => random.Next(4) > 0)];
                for (int i = random.Next(5); i >= 0; i--)
                {
                    members.Add(NewMember($"n{random.Next(10000)}") with
                    {
                        Zone = random.Next(2) == 0 ? "" : $"z{random.Next(3)}",
                        Capacity = random.Next(3) == 0 ? random.Next(1, 4) : 1,
                        Leaving = random.Next(8) == 0,
                    });
                }

                members = [.. members.DistinctBy(member => member.Id.Node)];
                ShardTarget[] targets = ShardAllocationStrategy.Compute(members, allocation, replicas);
                Member[] hosts = [.. members.Where(member => !member.Leaving)];
                if (hosts.Length > 0)
                {
                    AssertValid(targets, Math.Min(replicas, hosts.Length - 1));
                    Assert.All(targets, target => Assert.Contains(hosts, host => host.Id == target.Primary));
                    Assert.All(targets, target => Assert.All(target.Copies, copy => Assert.Contains(hosts, host => host.Id == copy)));
                    if (hosts.All(host => host.Capacity == 1))
                    {
                        AssertBalanced(hosts, targets, Math.Min(replicas, hosts.Length - 1));
                    }
                }

                allocation = Apply(targets);
                AssertSame(targets, ShardAllocationStrategy.Compute([.. members.OrderBy(_ => random.Next())], allocation, replicas));
            }
        }
    }

    [Fact]
    public void Compute_OfAThousandShardsAndFiftyMembers_IsQuick()
    {
        Member[] members = [.. Enumerable.Range(0, 50).Select(i => NewMember($"n{i:00}") with { Zone = $"z{i % 3}" })];
        ShardAllocation allocation = Apply(ShardAllocationStrategy.Compute(members[..49], ShardAllocation.Unowned(1000), 1));
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            ShardTarget[] targets = ShardAllocationStrategy.Compute(members, allocation, 1);
            best = watch.Elapsed < best ? watch.Elapsed : best;
            AssertBalanced(members, targets, 1);
            Assert.All(targets, target => Assert.Equal(2, Zones(members, target)));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{best.TotalMilliseconds:0.0} ms");
        Assert.InRange(best.TotalMilliseconds, 0, 200);
    }

    private static Member NewMember(string name) => new(new MemberId(name, 1), $"{name}:1");


    private static ShardAllocation Apply(ShardTarget[] targets) => new(1, targets.Select(target =>
        new ShardAssignment(target.Primary, 1, [.. target.Copies.Select(copy => new ShardCopy(copy, 1, true))])));

    private static int Zones(IEnumerable<Member> members, ShardTarget target) => target.Copies.Append(target.Primary)
        .Select(id => members.Single(member => member.Id == id).Zone)
        .Distinct()
        .Count();

    private static void AssertSame(ShardTarget[] expected, ShardTarget[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Primary, actual[i].Primary);
            Assert.Equal(expected[i].Copies.OrderBy(copy => copy.Node), actual[i].Copies.OrderBy(copy => copy.Node));
        }
    }

    private static void AssertValid(ShardTarget[] targets, int copies) => Assert.All(targets, target =>
    {
        Assert.Equal(copies, target.Copies.Distinct().Count());
        Assert.Equal(copies, target.Copies.Count);
        Assert.DoesNotContain(target.Primary, target.Copies);
    });

    /// <summary>Everyone has its share by capacity, rounded up or down.</summary>
    private static void AssertBalanced(IEnumerable<Member> hosts, ShardTarget[] targets, int copies)
    {
        AssertValid(targets, copies);
        double capacity = hosts.Sum(host => host.Capacity);
        foreach (Member host in hosts)
        {
            double share = targets.Length * host.Capacity / capacity;
            Assert.InRange(targets.Count(target => target.Primary == host.Id), Math.Floor(share), Math.Ceiling(share));

            // Primaries that are rounded may leave a member less room for copies than its share.
            double most = Math.Min(Math.Ceiling(share * copies), targets.Length - Math.Floor(share));
            Assert.InRange(targets.Count(target => target.Copies.Contains(host.Id)), Math.Floor(share * copies) - 1, most + 1);
        }
    }
}
