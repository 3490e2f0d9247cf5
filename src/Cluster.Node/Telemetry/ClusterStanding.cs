using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;

namespace Cluster.Node.Telemetry;

/// <summary>What one member holds.</summary>
/// <param name="Primaries">Shards that it owns.</param>
/// <param name="Copies">Copies beside the primaries of others, in sync, being filled or stale.</param>
/// <param name="InSync">Of these, in sync.</param>
internal readonly record struct Holding(int Primaries, int Copies, int InSync);

/// <summary>Who holds how much, and what is missing, counted from one snapshot. Immutable.</summary>
internal sealed class ClusterStanding
{
    private readonly Dictionary<MemberId, Holding> _holdings = [];
    private readonly HashSet<MemberId> _alive = [];
    private readonly HashSet<MemberId> _leaving = [];

    /// <summary>Counts.</summary>
    public ClusterStanding(ClusterSnapshot snapshot)
    {
        foreach (Member member in snapshot.Members)
        {
            _alive.Add(member.Id);
            if (member.Leaving)
            {
                _leaving.Add(member.Id);
            }
        }

        ShardAllocation allocation = snapshot.Allocation;
        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            Count(allocation[shard]);
        }
    }

    /// <summary>Shards whose primary is nobody, or not alive.</summary>
    public int Unowned { get; private set; }

    /// <summary>Shards without a copy in sync on a node that is alive.</summary>
    public int WithoutInSyncCopy { get; private set; }

    /// <summary>Shards that are <see cref="IsMoving"/>.</summary>
    public int Moving { get; private set; }

    /// <summary>What a member holds.</summary>
    public Holding Of(MemberId member) => _holdings.GetValueOrDefault(member);

    /// <summary>Whether the shard's primary is alive.</summary>
    public bool IsOwned(ShardAssignment shard) => _alive.Contains(shard.Primary);

    /// <summary>Whether the shard has a copy in sync on a node that is alive.</summary>
    public bool HasInSyncCopy(ShardAssignment shard)
    {
        foreach (ShardCopy copy in shard.Replicas)
        {
            if (copy.InSync && _alive.Contains(copy.Member))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether a copy of the shard is being filled, or its primary is about to leave.</summary>
    public bool IsMoving(ShardAssignment shard)
    {
        foreach (ShardCopy copy in shard.Replicas)
        {
            if (copy.IsLearner)
            {
                return true;
            }
        }

        return _leaving.Contains(shard.Primary);
    }

    private void Count(ShardAssignment shard)
    {
        if (!shard.Primary.IsNone)
        {
            Holding primary = Of(shard.Primary);
            _holdings[shard.Primary] = primary with { Primaries = primary.Primaries + 1 };
        }

        foreach (ShardCopy copy in shard.Replicas)
        {
            Holding holding = Of(copy.Member);
            _holdings[copy.Member] = holding with { Copies = holding.Copies + 1, InSync = holding.InSync + (copy.InSync ? 1 : 0) };
        }

        Unowned += IsOwned(shard) ? 0 : 1;
        WithoutInSyncCopy += HasInSyncCopy(shard) ? 0 : 1;
        Moving += IsMoving(shard) ? 1 : 0;
    }
}
