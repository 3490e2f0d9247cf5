using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Region;

/// <summary>What became of one node's shards between two snapshots. Immutable.</summary>
/// <param name="Promotions">Shards of which a copy here became the primary, because the one before was lost.</param>
/// <param name="Moves">Shards whose primary moved here or away while the one before was alive: by plan.</param>
internal readonly record struct OwnershipChanges(int Promotions, int Moves)
{
    /// <summary>Compares. A shard that nobody owned before counts as nothing, so the first snapshot of all does not count.</summary>
    /// <param name="before">The last snapshot.</param>
    /// <param name="after">The one after it, of the same node.</param>
    public static OwnershipChanges Between(ClusterSnapshot before, ClusterSnapshot after)
    {
        HashSet<MemberId> alive = [.. after.Members.Select(member => member.Id)];
        int promotions = 0;
        int moves = 0;
        for (int shard = 0; shard < Math.Min(before.Allocation.ShardCount, after.Allocation.ShardCount); shard++)
        {
            MemberId last = before.Allocation[shard].Primary;
            ShardAssignment now = after.Allocation[shard];
            if (last.IsNone || last == now.Primary || (last != after.Self && now.Primary != after.Self))
            {
                continue;
            }

            if (alive.Contains(last))
            {
                moves++;
            }
            else if (now.Primary == after.Self && !now.FromNothing)
            {
                // Not from nothing: there was a copy in sync here, or a stale one, even if that came about between the two snapshots.
                promotions++;
            }
        }

        return new OwnershipChanges(promotions, moves);
    }
}
