using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Coordination;

/// <summary>An allocation in the making: what was, what is changed of it, and who is there. Used once.</summary>
internal sealed class AllocationDraft
{
    /// <summary>Each is a condition of the transaction, and those are bounded; more are taken for dead in the next step.</summary>
    private const int MostTakenForDead = 100;

    private readonly ShardAllocation _before;
    private readonly ShardAssignment[] _shards;
    private readonly Dictionary<MemberId, Member> _alive;
    private readonly IReadOnlySet<string> _unknown;
    private readonly HashSet<string> _takenForDead = [];
    private readonly Dictionary<MemberId, int> _primaries = [];
    private readonly Dictionary<MemberId, int> _copies = [];
    private bool _changed;

    /// <summary>Nothing is changed yet.</summary>
    public AllocationDraft(ShardAllocation before, IReadOnlyList<Member> members, IReadOnlySet<string> unknown)
    {
        _before = before;
        _unknown = unknown;
        _shards = new ShardAssignment[before.ShardCount];
        _alive = members.ToDictionary(member => member.Id);
        Hosts = [.. members.Where(member => member.HoldsShards && !member.Leaving)];
        for (int i = 0; i < _shards.Length; i++)
        {
            _shards[i] = before[i];
            Count(before[i], 1);
        }
    }

    /// <summary>Shards in the cluster.</summary>
    public int ShardCount => _shards.Length;

    /// <summary>Of the allocation that this becomes.</summary>
    public long Version => _before.Version + 1;

    /// <summary>Members to which shards may be given.</summary>
    public IReadOnlyList<Member> Hosts { get; }

    /// <summary>Shards that begin anew because nobody is left who had them.</summary>
    public int Emptied { get; set; }

    /// <summary>Shards of which a stale copy becomes the primary because no other was left.</summary>
    public int StalePromotions { get; set; }

    /// <summary>Who holds a shard.</summary>
    public ShardAssignment this[int shard]
    {
        get => _shards[shard];
        set
        {
            Count(_shards[shard], -1);
            _shards[shard] = value;
            Count(value, 1);
            _changed = true;
        }
    }

    /// <summary>Whether a run of a node is there.</summary>
    public bool IsAlive(MemberId member) => !member.IsNone && _alive.ContainsKey(member);

    /// <summary>Whether a run of a node has ended, as far as is known. Nobody is neither alive nor dead.</summary>
    public bool IsDead(MemberId member) =>
        !member.IsNone
        && !_alive.ContainsKey(member)
        && !_unknown.Contains(member.Node)
        && (_takenForDead.Count < MostTakenForDead || _takenForDead.Contains(member.Node));

    /// <summary>Whether another run of its node is there in place of a run that has ended: what that one had in memory is gone for good.</summary>
    public bool IsReplaced(MemberId member) => IsDead(member) && _alive.Keys.Any(other => other.Node == member.Node);

    /// <summary>A member that is alive; null for others.</summary>
    public Member? Find(MemberId member) => _alive.GetValueOrDefault(member);

    /// <summary>Shards that a member is primary of.</summary>
    public int PrimariesOf(MemberId member) => _primaries.GetValueOrDefault(member);

    /// <summary>Shards that a member has copies of, but for stale ones.</summary>
    public int CopiesOf(MemberId member) => _copies.GetValueOrDefault(member);

    /// <summary>Whether this draft has changed a shard's primary already: a step changes it once at most.</summary>
    public bool HasNewPrimary(int shard) => _shards[shard].Primary != _before[shard].Primary;

    /// <summary>Whether a copy was in sync before this draft, and is.</summary>
    public bool WasAndIsInSync(int shard, MemberId member) =>
        _before[shard].CopyOn(member) is { InSync: true } && _shards[shard].CopyOn(member) is { InSync: true };

    /// <summary>What is changed here is right only as long as this run is dead.</summary>
    public void TakeForDead(MemberId member) => _takenForDead.Add(member.Node);

    /// <summary>Copies that are being filled, in the whole cluster.</summary>
    public int CountLearners()
    {
        int learners = 0;
        foreach (ShardAssignment shard in _shards)
        {
            foreach (ShardCopy copy in shard.Replicas)
            {
                learners += copy.IsLearner ? 1 : 0;
            }
        }

        return learners;
    }

    /// <summary>The draft as it is.</summary>
    public ShardAllocation ToAllocation() => new(Version, _shards);

    /// <summary>The step; null when nothing was changed.</summary>
    public AllocationStep? ToStep() => _changed ? new AllocationStep(ToAllocation(), _takenForDead, Emptied, StalePromotions) : null;

    private void Count(ShardAssignment shard, int by)
    {
        if (!shard.Primary.IsNone)
        {
            _primaries[shard.Primary] = _primaries.GetValueOrDefault(shard.Primary) + by;
        }

        foreach (ShardCopy copy in shard.Replicas)
        {
            _copies[copy.Member] = _copies.GetValueOrDefault(copy.Member) + (copy.IsStale ? 0 : by);
        }
    }
}
