namespace Cluster.Messages.Sharding;

/// <summary>
/// Who holds which shard: the coordinator's answer, immutable and versioned. Readers swap in a newer one atomically and never go back.
/// </summary>
public sealed class ShardAllocation
{
    private readonly ShardAssignment[] _shards;

    /// <summary>An allocation of <paramref name="shards"/>, in order of their numbers.</summary>
    public ShardAllocation(long version, IEnumerable<ShardAssignment> shards)
    {
        Version = version;
        _shards = [.. shards];
    }

    /// <summary>Rises with every change; 0 before the first.</summary>
    public long Version { get; }

    /// <summary>Shards in the cluster.</summary>
    public int ShardCount => _shards.Length;

    /// <summary>Who holds a shard.</summary>
    public ShardAssignment this[int shard] => _shards[shard];

    /// <summary>Shards that nobody holds: what is known before anything is.</summary>
    public static ShardAllocation Unowned(int shardCount) =>
        new(0, Enumerable.Repeat(new ShardAssignment(default, 0, []), shardCount));

    /// <summary>All shards of one member, version 1, term 1, no replicas: what a node alone has.</summary>
    public static ShardAllocation Alone(MemberId member, int shardCount) =>
        new(1, Enumerable.Repeat(new ShardAssignment(member, 1, []), shardCount));
}

/// <summary>Who holds one shard.</summary>
/// <param name="Primary">The owner: hosts the shard's trace actors, acknowledges and decides. Nobody until the first member is there.</param>
/// <param name="Term">Fencing number of this ownership: rises with every change of the primary; a message with a lower one is refused.</param>
/// <param name="Replicas">Copies on other members, never the primary.</param>
/// <param name="FromNothing">
/// Whether the primary began this term with an empty shard, since no copy in sync was left: what it may hold of the shard is too old to go on with.
/// Stays as it is until the next term.
/// </param>
public sealed record ShardAssignment(MemberId Primary, uint Term, IReadOnlyList<ShardCopy> Replicas, bool FromNothing = false)
{
    /// <summary>The copy on a member; null when it has none.</summary>
    public ShardCopy? CopyOn(MemberId member)
    {
        foreach (ShardCopy copy in Replicas)
        {
            if (copy.Member == member)
            {
                return copy;
            }
        }

        return null;
    }
}

/// <summary>A copy of a shard's log and decisions beside the primary's.</summary>
/// <param name="Member">Who holds it.</param>
/// <param name="Since">Version of the allocation that added it: tells one stay on a member from the next.</param>
/// <param name="InSync">
/// Whether it has everything that was acknowledged, and may so become primary.
/// </param>
/// <param name="IsStale">
/// Whether it was the last copy in sync until it was taken for suspect or dead, or the primary until it was taken for dead: it keeps what it has,
/// nobody sends it anything, and whether it has everything is not known. Never together with <paramref name="InSync"/>.
/// </param>
public sealed record ShardCopy(MemberId Member, long Since, bool InSync, bool IsStale = false)
{
    /// <summary>Whether it is being filled.</summary>
    public bool IsLearner => !InSync && !IsStale;
}
