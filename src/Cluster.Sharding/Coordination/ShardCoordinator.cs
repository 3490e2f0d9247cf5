using System.Text.Json;
using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Coordination;

/// <summary>
/// Decides which node owns which shard, and publishes it in the cluster store as one versioned allocation. This one knows a single member,
/// which owns every shard; each start is a new term, so that what an earlier run still had on its way is refused.
/// </summary>
public sealed class ShardCoordinator(IClusterStore store)
{
    private const string AllocationKey = "allocation";

    /// <summary>Gives all shards to one node.</summary>
    /// <exception cref="InvalidOperationException">The cluster was made with another number of shards.</exception>
    public async ValueTask<ShardAllocation> AllocateToAsync(string node, int shardCount, CancellationToken cancellationToken)
    {
        while (true)
        {
            StoreEntry? entry = await store.GetAsync(AllocationKey, cancellationToken);
            StoredAllocation? last = entry is null ? null : JsonSerializer.Deserialize<StoredAllocation>(entry.Value.Span);
            if (last is not null && last.Terms.Length != shardCount)
            {
                throw new InvalidOperationException($"The cluster has {last.Terms.Length} shards; 'shards: {shardCount}' must be the same on every node.");
            }

            StoredAllocation next = new(node, [.. (last?.Terms ?? new uint[shardCount]).Select(term => term + 1)]);
            long? revision = await store.TrySetAsync(
                AllocationKey, JsonSerializer.SerializeToUtf8Bytes(next), entry?.Revision ?? 0, cancellationToken);
            if (revision is { } version)
            {
                return new ShardAllocation(version, next.Terms.Select(term => new ShardOwner(node, term)));
            }
        }
    }

    private sealed record StoredAllocation(string Node, uint[] Terms);
}
