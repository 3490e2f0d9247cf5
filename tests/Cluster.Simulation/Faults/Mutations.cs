using System.Runtime.InteropServices;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;
using Cluster.Simulation.Network;

namespace Cluster.Simulation.Faults;

/// <summary>What a <see cref="Mutation"/> changes, in the adapters around the cores.</summary>
internal sealed class Mutations(SimOptions options)
{
    private readonly Mutation _mutation = options.Mutation;

    /// <summary>Whether deliveries are answered when they come.</summary>
    public bool AnswersEarly => _mutation == Mutation.AcknowledgeBeforeTheReplica;

    /// <summary>What a core is told of its lease.</summary>
    public long Authority(long validUntil) => _mutation == Mutation.SkipTheFence ? long.MaxValue : validUntil;

    /// <summary>What a node says of its copies.</summary>
    public IReadOnlyList<ShardReport> Reports(MemberId self, IReadOnlyList<ShardReport> reports, ClusterSnapshot? snapshot)
    {
        if (_mutation == Mutation.ForgetTheTerm && snapshot is not null)
        {
            return [.. reports.Select(report => report with { Term = snapshot.Allocation[report.Shard].Term })];
        }

        if (_mutation != Mutation.CountALearnerTooEarly || snapshot is null)
        {
            return reports;
        }

        List<ShardReport> all = [.. reports];
        for (int shard = 0; shard < options.Shards; shard++)
        {
            ShardAssignment assignment = snapshot.Allocation[shard];
            foreach (ShardCopy copy in assignment.Replicas)
            {
                if (assignment.Primary == self && copy.IsLearner && !all.Any(report => report.Shard == shard && report.Member == copy.Member))
                {
                    all.Add(new ShardReport(shard, assignment.Term, copy.Member, copy.Since, CopyState.CaughtUp));
                }
            }
        }

        return all;
    }

    /// <summary>What a node's shards are told of the allocation.</summary>
    /// <param name="self">The node.</param>
    /// <param name="allocation">What it really is.</param>
    /// <param name="last">What they were told last.</param>
    public ShardAllocation Allocation(MemberId self, ShardAllocation allocation, ShardAllocation? last) => _mutation switch
    {
        Mutation.KeepShardsAfterLeaseEnd when last is not null => Change(
            allocation, shard => last[shard].Primary == self && allocation[shard].Primary != self ? last[shard] : allocation[shard]),
        Mutation.ForgetTheTerm => Change(allocation, shard => allocation[shard] with { Term = 1 }),
        _ => allocation,
    };

    /// <summary>What a node's gateway is told of it.</summary>
    /// <param name="allocation">What it really is.</param>
    /// <param name="told">What the shards are told.</param>
    public ShardAllocation ForGateway(ShardAllocation allocation, ShardAllocation told) => _mutation == Mutation.ForgetTheTerm ? told : allocation;

    /// <summary>What a copy or a primary gets instead of what the other sent.</summary>
    public byte[] Replication(PeerLetter letter)
    {
        if (letter.Header.Kind != PeerMessageKind.Replicate
            || _mutation is not (Mutation.DropDecisions or Mutation.ForgetWhatWasNotExported))
        {
            return letter.Payload;
        }

        byte[] payload = [.. letter.Payload];
        ReplicationItemHeader item = MemoryMarshal.Read<ReplicationItemHeader>(payload);
        if (item.Kind is not (ReplicationItemKind.Verdicts or ReplicationItemKind.Decisions))
        {
            return payload;
        }

        if (_mutation == Mutation.DropDecisions)
        {
            return payload[..ReplicationItemHeader.Size];
        }

        MarkExported(payload.AsSpan(ReplicationItemHeader.Size));
        return payload;
    }

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

        if (_mutation is not (Mutation.PromoteALearner or Mutation.DropTheLastCopy))
        {
            return request;
        }

        ShardAllocation allocation = StoredDocuments.ReadAllocation(put.Value, options.Shards)!;
        ShardAllocation changed = Change(
            allocation, shard => _mutation == Mutation.DropTheLastCopy ? DropStale(allocation[shard]) : Flatter(allocation[shard]));
        StorePut instead = put with { Value = StoredDocuments.WriteAllocation(changed) };
        return new StoreRequest.Commit(transaction with { Puts = [.. transaction.Puts.Select(p => p == put ? instead : p)] });
    }

    private static void MarkExported(Span<byte> body)
    {
        ReadOnlySpan<byte> rest = body;
        while (DecisionRecord.TryRead(ref rest, out _, out ReadOnlySpan<ulong> details))
        {
            int record = body.Length - rest.Length - details.Length * sizeof(ulong) - DecisionRecord.Size;
            MemoryMarshal.AsRef<DecisionRecord>(body.Slice(record, DecisionRecord.Size)).Exported = 1;
        }
    }

    private static ShardAllocation Change(ShardAllocation allocation, Func<int, ShardAssignment> change) =>
        new(allocation.Version, Enumerable.Range(0, allocation.ShardCount).Select(change));

    private static ShardAssignment DropStale(ShardAssignment shard) => shard with { Replicas = [.. shard.Replicas.Where(copy => !copy.IsStale)] };

    private static ShardAssignment Flatter(ShardAssignment shard) =>
        shard with { Replicas = [.. shard.Replicas.Select(copy => copy with { InSync = !copy.IsStale })] };
}
