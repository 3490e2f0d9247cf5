namespace Cluster.Messages.Sharding;

/// <summary>
/// Who owns which shard: the coordinator's answer, immutable and versioned. Readers swap in a newer one atomically and never go back.
/// </summary>
public sealed class ShardAllocation
{
    private readonly ShardOwner[] _owners;

    /// <summary>An allocation of <paramref name="owners"/>, one a shard.</summary>
    public ShardAllocation(long version, IEnumerable<ShardOwner> owners)
    {
        Version = version;
        _owners = [.. owners];
    }

    /// <summary>Rises with every change.</summary>
    public long Version { get; }

    /// <summary>Shards in the cluster.</summary>
    public int ShardCount => _owners.Length;

    /// <summary>The owner of a shard.</summary>
    public ShardOwner this[int shard] => _owners[shard];
}

/// <summary>One ownership of one shard.</summary>
/// <param name="Node">ID of the owning node.</param>
/// <param name="Term">Fencing number: rises with every change of owner; a message with a lower one is refused.</param>
public readonly record struct ShardOwner(string Node, uint Term);
