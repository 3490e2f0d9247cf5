using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// One node's part in the cluster's control: it is a member under a lease, may be the coordinator, and follows the allocation. A synchronous state
/// machine: answers and changes of the store, reports and time come in; requests to the store and what this node now knows go out through
/// <see cref="IClusterControlEffects"/>. Used by one thread at a time.
/// </summary>
/// <remarks>
/// <code>
///  store ──list, watch──► StoreViewCore ──► MembershipCore (who I am, authority) ──► ElectionCore ──► CoordinatorCore
///    ▲                                                                                                    │
///    └───────────────────────────── transactions, each bound to what was read ◄───────────────────────────┘
/// </code>
/// Every part compares what the view shows with what should be, at each step, and asks the store for the difference; nothing is lost when an answer
/// is. Invariants: what is published never goes back; authority is given only after the allocation that it stands on was published.
/// </remarks>
internal sealed class ClusterControlCore
{
    private readonly MemberId _self;
    private readonly IClusterControlEffects _effects;
    private readonly StoreViewCore _view;
    private readonly MembershipCore _membership;
    private readonly ElectionCore _election;
    private readonly CoordinatorCore _coordinator;

    /// <summary>A node that is not in the cluster yet.</summary>
    public ClusterControlCore(ClusterControlOptions options, Member self, IClusterControlEffects effects)
    {
        _self = self.Id;
        _effects = effects;
        _view = new StoreViewCore(options.ShardCount, 2 * (long)options.LeaseTimeToLive.TotalMilliseconds, effects);
        _membership = new MembershipCore(options, self, _view, effects);
        _election = new ElectionCore(self.Id, _view, _membership, effects);
        _coordinator = new CoordinatorCore(options, _view, _election, effects);
        Snapshot = new ClusterSnapshot(_self, [], _view.Allocation, default);
    }

    /// <summary>What was last published; nobody and nothing before.</summary>
    public ClusterSnapshot Snapshot { get; private set; }

    /// <summary>Until when this node's lease is known to last, monotonic milliseconds; 0 while it may not act.</summary>
    public long Authority => _membership.Authority;

    /// <summary>Whether this node drains and has nothing any more, or nobody else could take what it has.</summary>
    public bool IsDrained { get; private set; }

    /// <summary>Whether nothing is left to be done after <see cref="Leave"/> or a rejection.</summary>
    public bool HasLeft => _membership.HasLeft;

    /// <summary>Shards that this node as coordinator had begin empty, since nobody was left who had them.</summary>
    public long EmptiedShards => _coordinator.EmptiedShards;

    /// <summary>Shards of which this node as coordinator made a stale copy the primary, since no other was left.</summary>
    public long StalePromotions => _coordinator.StalePromotions;

    /// <summary>Begins to join.</summary>
    public void Start(long now) => Step(now);

    /// <summary>Time has passed; to be called several times a second.</summary>
    public void Advance(long now) => Step(now);

    /// <summary>The store answered a request, or it failed.</summary>
    /// <param name="request">The object that was asked with.</param>
    /// <param name="answer">Each request is answered once at most.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Answered(StoreRequest request, StoreAnswer answer, long now)
    {
        _ = _view.Answered(request, answer, now)
            || _membership.Answered(request, answer, now)
            || _election.Answered(request, answer, now)
            || _coordinator.Answered(request, answer, now);
        Step(now);
    }

    /// <summary>Something changed in the store.</summary>
    public void Changed(StoreChanges changes, long now)
    {
        _view.Changed(changes, now);
        Step(now);
    }

    /// <summary>What this node's primaries now say of their copies: all of it.</summary>
    public void SetReports(IReadOnlyList<ShardReport> reports, long now)
    {
        _membership.SetReports(reports);
        Step(now);
    }

    /// <summary>This node wants to leave: its shards are to be moved away.</summary>
    public void Drain(long now)
    {
        _membership.Drain();
        Step(now);
    }

    /// <summary>This node is gone from now on: its lease is revoked.</summary>
    public void Leave(long now)
    {
        _membership.Leave(now);
        Step(now);
    }

    private void Step(long now)
    {
        if (_membership.IsOver)
        {
            _membership.Step(now);
            return;
        }

        _view.Step(now);
        _membership.Step(now);
        if (!_membership.IsAdmitted)
        {
            return;
        }

        Publish();
        _membership.Authorize(now);
        _election.Step(now);
        _coordinator.Step(now);
    }

    private void Publish()
    {
        if (_view.TakeChanged())
        {
            Snapshot = new ClusterSnapshot(_self, _view.Members, _view.Allocation, _view.Coordinator);
            IsDrained = Snapshot.Find(_self) is { Leaving: true } && (!Holds() || !OthersHold());
            _effects.Publish(Snapshot);
        }
    }

    private bool Holds()
    {
        for (int i = 0; i < Snapshot.Allocation.ShardCount; i++)
        {
            if (Snapshot.Allocation[i].Primary == _self || Snapshot.Allocation[i].CopyOn(_self) is not null)
            {
                return true;
            }
        }

        return false;
    }

    private bool OthersHold() => Snapshot.Members.Any(member => member.Id != _self && member.HoldsShards && !member.Leaving);
}

/// <summary>What a <see cref="ClusterControlCore"/> wants done. Called from inside its methods; must not call back into it.</summary>
internal interface IClusterControlEffects
{
    /// <summary>Asks the store; the answer comes by <see cref="ClusterControlCore.Answered"/>, in any order, or as a failure.</summary>
    void Request(StoreRequest request);

    /// <summary>Ends the watch there may be, and begins one.</summary>
    void Watch(string prefix, long afterRevision);

    /// <summary>What this node now knows of the cluster. Never older than the one before.</summary>
    void Publish(ClusterSnapshot snapshot);

    /// <summary>Until when this node's lease is known to last; monotonic milliseconds.</summary>
    void SetAuthority(long validUntil);

    /// <summary>
    /// This node had authority, and its lease may have ended by now, though it does not leave. For people; shards look at the time themselves.
    /// </summary>
    void Fenced();

    /// <summary>It has authority again.</summary>
    /// <param name="milliseconds">After so long without.</param>
    void Unfenced(long milliseconds);

    /// <summary>This node cannot be in this cluster: another number of shards, another format, its name taken.</summary>
    void Reject(string problem);
}

/// <summary>A request to the store.</summary>
internal abstract record StoreRequest
{
    private StoreRequest()
    {
    }

    /// <summary><see cref="IClusterStore.ListAsync"/>; answered by <see cref="StoreAnswer.Listed"/>.</summary>
    public sealed record List(string Prefix) : StoreRequest;

    /// <summary><see cref="IClusterStore.TryCommitAsync"/>; answered by <see cref="StoreAnswer.Committed"/>.</summary>
    public sealed record Commit(StoreTransaction Transaction) : StoreRequest;

    /// <summary><see cref="IClusterStore.GrantLeaseAsync"/>; answered by <see cref="StoreAnswer.Granted"/>.</summary>
    public sealed record Grant(TimeSpan TimeToLive) : StoreRequest;

    /// <summary><see cref="IClusterStore.KeepAliveAsync"/>; answered by <see cref="StoreAnswer.KeptAlive"/>.</summary>
    public sealed record KeepAlive(long Lease) : StoreRequest;

    /// <summary><see cref="IClusterStore.RevokeLeaseAsync"/>; answered by <see cref="StoreAnswer.Revoked"/>.</summary>
    public sealed record Revoke(long Lease) : StoreRequest;
}

/// <summary>An answer of the store.</summary>
internal abstract record StoreAnswer
{
    private StoreAnswer()
    {
    }

    /// <summary>What is under the prefix.</summary>
    public sealed record Listed(StoreSnapshot Snapshot) : StoreAnswer;

    /// <summary>The revision, or null when a condition did not hold.</summary>
    public sealed record Committed(long? Revision) : StoreAnswer;

    /// <summary>The lease.</summary>
    public sealed record Granted(long Lease) : StoreAnswer;

    /// <summary>False when the lease has ended.</summary>
    public sealed record KeptAlive(bool Alive) : StoreAnswer;

    /// <summary>Done.</summary>
    public sealed record Revoked : StoreAnswer;

    /// <summary>No answer: the store cannot be reached. What was asked may have happened.</summary>
    public sealed record Failed(string Problem) : StoreAnswer;
}

/// <summary>How a node is a member, and how the coordinator allocates.</summary>
public sealed record ClusterControlOptions
{
    /// <summary>Shards, the same on every node.</summary>
    public int ShardCount { get; init; } = 128;

    /// <summary>Copies of each shard beside the primary's (<c>cluster.replicas</c>).</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Copies, the primary's included, without which nothing is acknowledged (<c>cluster.min_in_sync</c>).</summary>
    public int MinInSync { get; init; } = 1;

    /// <summary>After how long a silent node is taken for dead (<c>cluster.lease_ttl</c>).</summary>
    public TimeSpan LeaseTimeToLive { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>By how much earlier, by its own clock, a node believes that its lease has ended.</summary>
    public TimeSpan LeaseMargin { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Learners that are filled at once, in the whole cluster.</summary>
    public int MovesInFlight { get; init; } = 16;
}
