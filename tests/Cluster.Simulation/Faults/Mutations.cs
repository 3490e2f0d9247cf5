using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Simulation.Faults;

/// <summary>What a <see cref="Mutation"/> changes, in the adapters around the cores.</summary>
internal sealed class Mutations(SimOptions options)
{
    private readonly Mutation _mutation = options.Mutation;

    /// <summary>Whether deliveries are answered when they come.</summary>
    public bool AnswersEarly => _mutation == Mutation.AcknowledgeBeforeTheReplica;

    /// <summary>What a core is told of its lease.</summary>
    public long Authority(long validUntil) => _mutation == Mutation.SkipTheFence ? long.MaxValue : validUntil;

    /// <summary>What the store is asked instead.</summary>
    public StoreRequest Ask(StoreRequest request)
    {
        if (request is not StoreRequest.Commit { Transaction: var transaction }
            || transaction.Puts.FirstOrDefault(put => put.Key == StoreKeys.Allocation) is not { } put)
        {
            return request;
        }

        if (_mutation == Mutation.CommitWithoutConditions)
        {
            return new StoreRequest.Commit(transaction with { Conditions = [] });
        }

        if (_mutation != Mutation.PromoteALearner)
        {
            return request;
        }

        ShardAllocation allocation = StoredDocuments.ReadAllocation(put.Value, options.Shards)!;
        ShardAllocation changed = new(allocation.Version, Enumerable.Range(0, options.Shards).Select(shard => Flatter(allocation[shard])));
        StorePut instead = put with { Value = StoredDocuments.WriteAllocation(changed) };
        return new StoreRequest.Commit(transaction with { Puts = [.. transaction.Puts.Select(p => p == put ? instead : p)] });
    }

    private static ShardAssignment Flatter(ShardAssignment shard) =>
        shard with { Replicas = [.. shard.Replicas.Select(copy => copy with { InSync = true })] };
}
