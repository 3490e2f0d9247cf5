using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Store;

/// <summary>What stands in the store right now: what no node knows for sure.</summary>
internal sealed class ClusterTruth(SimWorld world)
{
    private readonly Dictionary<string, Member> _members = [];
    private readonly Dictionary<(int Shard, MemberId Member), long> _suspected = [];
    private ReadOnlyMemory<byte> _allocation;

    /// <summary>Who holds which shard; null before the first allocation.</summary>
    public ShardAllocation? Allocation { get; private set; }

    /// <summary>Who allocates.</summary>
    public MemberId Coordinator { get; private set; }

    /// <summary>Members by node name.</summary>
    public IReadOnlyDictionary<string, Member> Members => _members;

    /// <summary>Changes of the coordinator.</summary>
    public int Elections { get; private set; }

    /// <summary>Changes of a primary, over all shards.</summary>
    public int Promotions { get; private set; }

    /// <summary>Shards that were given to a member that had nothing of them, after all who had were lost.</summary>
    public int GivenEmpty { get; private set; }

    /// <summary>Shards that were given to a member with a stale copy, after all who had more were lost.</summary>
    public int StalePromotions { get; private set; }

    /// <summary>Changes of the primary of a shard.</summary>
    public Dictionary<int, int> PromotionsOf { get; } = [];

    /// <summary>
    /// Whether somebody says in the store that a copy does not answer, or said so until lately: the coordinator may be about to take it off.
    /// </summary>
    public bool IsSuspect(int shard, MemberId member) =>
        _suspected.TryGetValue((shard, member), out long last) && (last < 0 || world.Scheduler.Now - last < 2 * Scheduler.Second);

    /// <summary>Takes what the store now is.</summary>
    public void Take(StoreSnapshot snapshot)
    {
        _members.Clear();
        foreach ((int Shard, MemberId Member) suspect in _suspected.Keys.ToArray())
        {
            _suspected[suspect] = _suspected[suspect] < 0 ? world.Scheduler.Now : _suspected[suspect];
        }

        MemberId coordinator = default;
        foreach (StoreEntry entry in snapshot.Entries)
        {
            if (entry.Key == StoreKeys.Coordinator)
            {
                coordinator = StoredDocuments.ReadCoordinator(entry.Value);
            }
            else if (entry.Key == StoreKeys.Allocation && !entry.Value.Equals(_allocation))
            {
                _allocation = entry.Value;
                Take(StoredDocuments.ReadAllocation(entry.Value, world.Options.Shards)
                    ?? throw new ViolationException("store", "an allocation that cannot be read"));
            }
            else if (entry.Key.StartsWith(StoreKeys.Reports, StringComparison.Ordinal))
            {
                NoteSuspects(StoredDocuments.ReadReports(entry.Key[StoreKeys.Reports.Length..], entry.Value)
                    ?? throw new ViolationException("store", "reports that cannot be read"));
            }
            else if (entry.Key.StartsWith(StoreKeys.Members, StringComparison.Ordinal))
            {
                string node = entry.Key[StoreKeys.Members.Length..];
                _members[node] = StoredDocuments.ReadMember(node, entry.Value)
                    ?? throw new ViolationException("store", "a member that cannot be read");
            }
        }

        if (coordinator != Coordinator && !coordinator.IsNone)
        {
            Elections++;
        }

        Coordinator = coordinator;
    }

    /// <summary>The process of a member, if it runs.</summary>
    public SimProcess? ProcessOf(MemberId member) =>
        member.IsNone ? null : world.Nodes.Select(node => node.Process).FirstOrDefault(process => process?.Id == member);

    /// <summary>-1: it stands there now.</summary>
    private void NoteSuspects(StoredReports reports)
    {
        foreach (ShardReport report in reports.Reports)
        {
            if (report.State == CopyState.Suspect)
            {
                _suspected[(report.Shard, report.Member)] = -1;
            }
        }
    }

    private void Take(ShardAllocation next)
    {
        ShardAllocation? last = Allocation;
        Allocation = next;
        world.Log.Write($"ALLOCATION {Describe(next)}");
        if (last is null)
        {
            return;
        }

        if (next.Version != last.Version + 1)
        {
            throw new ViolationException("allocation", $"version {next.Version} follows {last.Version}");
        }

        for (int shard = 0; shard < next.ShardCount; shard++)
        {
            ShardAssignment before = last[shard];
            ShardAssignment after = next[shard];
            if (after.Primary == before.Primary)
            {
                if (after.Term != before.Term)
                {
                    throw new ViolationException("allocation", $"shard {shard}: a new term, {after.Term}, of the same primary");
                }

                continue;
            }

            // More than one higher: promoted and moved on in one step.
            if (after.Term <= before.Term)
            {
                throw new ViolationException("allocation", $"shard {shard}: term {after.Term} of a new primary follows {before.Term}");
            }

            Promotions++;
            PromotionsOf[shard] = PromotionsOf.GetValueOrDefault(shard) + 1;
            ShardCopy? copy = before.CopyOn(after.Primary);
            if (copy is { IsStale: true } && !after.FromNothing)
            {
                // Whether something is lost by it is for others to find.
                StalePromotions++;
            }
            else if (!before.Primary.IsNone && copy is not { InSync: true })
            {
                GivenEmpty++;
                world.Checks.GivenEmpty(shard, before, after);
            }
        }
    }

    private static string Describe(ShardAllocation allocation)
    {
        IEnumerable<string> shards = Enumerable.Range(0, allocation.ShardCount).Select(shard =>
        {
            ShardAssignment s = allocation[shard];
            return $"{shard}:{s.Primary.Node}t{s.Term}[{string.Join(' ', s.Replicas.Select(c => c.Member.Node + (c.IsStale ? "!" : c.InSync ? "" : "?")))}]";
        });
        return $"{allocation.Version}  {string.Join("  ", shards)}";
    }
}
