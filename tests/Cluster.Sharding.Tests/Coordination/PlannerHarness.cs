using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Coordination;

/// <summary>An <see cref="AllocationPlanner"/> with members that come and go and primaries that report; each step is checked.</summary>
internal sealed class PlannerHarness
{
    public const int LeaseMilliseconds = 10_000;

    private readonly Dictionary<int, long> _orphanSince = [];

    public PlannerHarness(int shards, int replicas = 1, int movesInFlight = 4, int minInSync = 1)
    {
        Options = new ClusterControlOptions { ShardCount = shards, Replicas = replicas, MovesInFlight = movesInFlight, MinInSync = minInSync };
        Planner = new AllocationPlanner(Options);
        Allocation = ShardAllocation.Unowned(shards);
    }

    public ClusterControlOptions Options { get; }

    public AllocationPlanner Planner { get; set; }

    public ShardAllocation Allocation { get; set; }

    public SortedDictionary<string, Member> Members { get; } = new(StringComparer.Ordinal);

    public HashSet<string> Unknown { get; } = [];

    public List<ShardReport> Reports { get; } = [];

    public long Now { get; set; } = 1000;

    public int Emptied { get; private set; }

    public int StalePromotions { get; private set; }

    public Member Join(string name, ulong incarnation = 1) =>
        Members[name] = new Member(new MemberId(name, incarnation), $"{name}:1");

    public void Say(int shard, string member, CopyState state)
    {
        ShardCopy copy = Allocation[shard].Replicas.Single(copy => copy.Member.Node == member);
        Reports.Add(new ShardReport(shard, Allocation[shard].Term, copy.Member, copy.Since, state));
    }

    /// <summary>Every learner of a primary that is alive, on a member that is alive, has caught up.</summary>
    public void Fill()
    {
        for (int i = 0; i < Allocation.ShardCount; i++)
        {
            ShardAssignment shard = Allocation[i];
            Reports.AddRange(shard.Replicas
                .Where(copy => copy.IsLearner && IsAlive(copy.Member) && IsAlive(shard.Primary))
                .Select(copy => new ShardReport(i, shard.Term, copy.Member, copy.Since, CopyState.CaughtUp)));
        }
    }

    /// <summary>Every primary that is alive goes on without its stale copies, and says so.</summary>
    public void Release()
    {
        for (int i = 0; i < Allocation.ShardCount; i++)
        {
            ShardAssignment shard = Allocation[i];
            Reports.AddRange(shard.Replicas
                .Where(copy => copy.IsStale && IsAlive(shard.Primary))
                .Select(copy => new ShardReport(i, shard.Term, copy.Member, copy.Since, CopyState.Released)));
        }
    }

    /// <summary>One step, checked and taken.</summary>
    /// <param name="commit">Whether it can be committed.</param>
    /// <returns>Null when there is nothing to do.</returns>
    public AllocationStep? Step(bool commit = true)
    {
        // A node's reports are bound to its lease, and say who its run is.
        StoredReports[] reports = [.. Reports
            .Where(report => IsAlive(Allocation[report.Shard].Primary))
            .GroupBy(report => Allocation[report.Shard].Primary, (from, said) => new StoredReports(from, [.. said]))];
        AllocationStep? step = Planner.Next(Allocation, [.. Members.Values], Unknown, reports, Now);
        Track();
        if (step is null)
        {
            return null;
        }

        Check(step);
        if (commit)
        {
            Allocation = step.Next;
            Emptied += step.Emptied;
            StalePromotions += step.StalePromotions;
            Reports.RemoveAll(report => Allocation[report.Shard].Term != report.Term || Allocation[report.Shard].CopyOn(report.Member) is null);
        }

        return step;
    }

    /// <summary>Steps, learners catching up and stale copies being released each time, until there is nothing to do.</summary>
    /// <returns>How many steps it took.</returns>
    public int Settle()
    {
        for (int steps = 0; ; steps++)
        {
            Assert.True(steps < 10 * Allocation.ShardCount + 100, "it does not come to rest");
            Fill();
            Release();
            Now += 100;
            if (Step() is null)
            {
                // What only waits, for a lease or for a copy that failed, goes on.
                Now += 4 * LeaseMilliseconds;
                if (Step() is null)
                {
                    return steps;
                }
            }
        }
    }

    public void Run(double seconds)
    {
        for (long until = Now + (long)(seconds * 1000); Now < until; Now += 100)
        {
            Step();
        }
    }

    public int PrimariesOf(string name) => Enumerable.Range(0, Allocation.ShardCount).Count(i => Allocation[i].Primary.Node == name);

    public int CopiesOf(string name) =>
        Enumerable.Range(0, Allocation.ShardCount).Count(i => Allocation[i].Replicas.Any(copy => copy.Member.Node == name));

    public int Learners(ShardAllocation allocation) =>
        Enumerable.Range(0, allocation.ShardCount).Sum(i => allocation[i].Replicas.Count(copy => copy.IsLearner));

    public bool IsAlive(MemberId id) => !id.IsNone && Members.TryGetValue(id.Node, out Member? member) && member.Id == id;

    private void Track()
    {
        for (int i = 0; i < Allocation.ShardCount; i++)
        {
            if (IsAlive(Allocation[i].Primary) || Allocation[i].Replicas.Any(copy => copy.InSync && IsAlive(copy.Member)))
            {
                _orphanSince.Remove(i);
            }
            else
            {
                _orphanSince.TryAdd(i, Now);
            }
        }
    }

    private void Check(AllocationStep step)
    {
        ShardAllocation next = step.Next;
        Assert.Equal(Allocation.Version + 1, next.Version);
        Assert.True(Learners(next) <= Math.Max(Options.MovesInFlight, Learners(Allocation)), "too many learners");
        int emptied = 0;
        int stalePromotions = 0;
        for (int i = 0; i < next.ShardCount; i++)
        {
            (ShardAssignment before, ShardAssignment after) = (Allocation[i], next[i]);
            Check(i, before, after, step);
            if (before.Primary != after.Primary && !before.Primary.IsNone && before.CopyOn(after.Primary) is not { InSync: true })
            {
                emptied += after.FromNothing ? 1 : 0;
                stalePromotions += after.FromNothing ? 0 : 1;
            }
        }

        Assert.Equal((emptied, stalePromotions), (step.Emptied, step.StalePromotions));
    }

    /// <summary>Checks one shard.</summary>
    private void Check(int i, ShardAssignment before, ShardAssignment after, AllocationStep step)
    {
        Assert.False(
            after.Replicas.Any(copy => copy.InSync) && after.Replicas.Any(copy => copy.IsStale), "a stale copy beside one that has everything");
        Assert.Equal(after.Replicas.Count, after.Replicas.Select(copy => copy.Member).Distinct().Count());
        Assert.Null(after.CopyOn(after.Primary));
        Assert.Equal(before.Primary == after.Primary ? before.Term : before.Term + 1, after.Term);
        bool begins = before.Primary != after.Primary && before.CopyOn(after.Primary) is not { InSync: true };
        foreach (ShardCopy copy in after.Replicas)
        {
            ShardCopy? was = before.CopyOn(copy.Member);
            if (copy.Member == before.Primary && copy.InSync)
            {
                // A planned move: the last primary has everything.
                Assert.True(!begins && before.Primary != after.Primary && IsAlive(before.Primary));
                Assert.Equal(step.Next.Version, copy.Since);
            }
            else if (copy.Member == before.Primary && copy.IsStale)
            {
                // A lost one: it may come back with its memory.
                Assert.True(!begins && !IsAlive(before.Primary) && !IsReplaced(before.Primary));
                Assert.Equal(step.Next.Version, copy.Since);
            }
            else if (was is null || begins || (was.IsStale && !copy.IsStale))
            {
                Assert.True(copy.IsLearner, "a new copy is a learner");
                Assert.True(
                    was is not { IsStale: true } || begins || after.Replicas.Any(other => other.InSync) || Said(i, before, was, CopyState.Released),
                    "filled before it was released");
                Assert.Equal(step.Next.Version, copy.Since);
                Assert.True(Members[copy.Member.Node] is { Leaving: false, HoldsShards: true });
            }
            else
            {
                Assert.Equal(was.Since, copy.Since);
                Assert.True(!copy.InSync || was.InSync || Said(i, before, was, CopyState.CaughtUp), "in sync only when said");
                Assert.True(!copy.IsStale || !was.IsLearner, "a learner becomes stale");
                Assert.True(!copy.IsLearner || was.IsLearner, "a learner again");
            }
        }

        CheckGivenUp(i, before, after, step);
        if (before.Primary == after.Primary)
        {
            return;
        }

        Assert.True(IsAlive(after.Primary));
        Assert.True(before.Primary.IsNone || IsAlive(before.Primary) || step.TakenForDead.Contains(before.Primary.Node), "death is a condition");
        if (!begins)
        {
            int others = Members.Values.Count(member => member is { HoldsShards: true, Leaving: false }
                && member.Id != before.Primary && member.Id != after.Primary);
            Assert.True(
                !IsAlive(before.Primary) || after.Replicas.Count(copy => copy.InSync) >= Math.Min(Math.Min(others, WantedCopies()), 1),
                "a planned move leaves a copy in sync, if it can");
            return;
        }

        Assert.False(IsAlive(before.Primary), "taken from a living primary");
        if (before.Primary.IsNone)
        {
            return;
        }

        Assert.DoesNotContain(before.Replicas, copy => copy.InSync && IsAlive(copy.Member));
        Assert.True(Now - _orphanSince[i] >= LeaseMilliseconds, "not waited for");
        bool hasStale = before.Replicas.Any(copy => copy.IsStale && IsAlive(copy.Member));
        Assert.Equal((hasStale, !hasStale), (before.CopyOn(after.Primary) is { IsStale: true }, after.FromNothing));
    }

    /// <summary>Who had everything of one shard, or was stale, and is so no more.</summary>
    private void CheckGivenUp(int i, ShardAssignment before, ShardAssignment after, AllocationStep step)
    {
        bool someInSync = after.Replicas.Any(copy => copy.InSync);
        foreach (ShardCopy copy in before.Replicas.Where(copy => copy.InSync && copy.Member != after.Primary))
        {
            ShardCopy? now = after.CopyOn(copy.Member);
            if (now is { InSync: true })
            {
                continue;
            }

            bool isDead = !IsAlive(copy.Member) && !Unknown.Contains(copy.Member.Node);
            bool areEnough = now is null && after.Replicas.Count(other => other.InSync) >= WantedCopies();
            Assert.True(isDead || Said(i, before, copy, CopyState.Suspect) || areEnough, "a copy in sync is given up for no reason");
            Assert.True(!isDead || step.TakenForDead.Contains(copy.Member.Node), "death is a condition");
            Assert.True(now is not null || someInSync || areEnough || after.FromNothing || IsReplaced(copy.Member), "the last one in sync is kept");
        }

        // By a copy in sync: who has everything, and is the only one then.
        if (before.CopyOn(after.Primary) is { InSync: true } && !someInSync)
        {
            Assert.True(after.CopyOn(before.Primary) is { IsStale: true } || IsReplaced(before.Primary), "a lost primary is kept");
        }

        foreach (ShardCopy copy in before.Replicas.Where(copy => copy.IsStale && before.Primary == after.Primary))
        {
            ShardCopy? now = after.CopyOn(copy.Member);
            bool mayLeave = Options.Replicas == 0 || Members.GetValueOrDefault(copy.Member.Node) is { Leaving: true };
            Assert.True(
                now is { IsStale: true }
                    || someInSync
                    || (IsReplaced(copy.Member) && step.TakenForDead.Contains(copy.Member.Node))
                    || (Said(i, before, copy, CopyState.Released) && (now is { IsLearner: true } || mayLeave)),
                "a stale copy is given up for no reason");
        }
    }

    private bool IsReplaced(MemberId id) => Members.TryGetValue(id.Node, out Member? member) && member.Id != id;

    private int WantedCopies() =>
        Math.Max(0, Math.Min(Options.Replicas, Members.Values.Count(member => member is { HoldsShards: true, Leaving: false }) - 1));

    private bool Said(int shard, ShardAssignment assignment, ShardCopy copy, CopyState state) =>
        Reports.Contains(new ShardReport(shard, assignment.Term, copy.Member, copy.Since, state));
}
