using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Region;

/// <summary>
/// A node among others: what the store says goes to shards, links and budgets, and what shards and peers say goes to where it belongs. It holds no
/// state of its own but the last snapshot, and what has come of the ones before in numbers. Thread-safe.
/// </summary>
/// <remarks>
/// Made in this order, since the parts know each other: this, links, region, <see cref="Bind"/>, and last the control, which begins to join.
/// </remarks>
public sealed class ClusterRuntime : IPeerHandler, IPeerSender, IQuestionHandler, IClusterControlObserver, IClusterView, IBudgetEffects, IAsyncDisposable
{
    /// <summary>Leases on budgets are looked after so often.</summary>
    private static readonly TimeSpan BudgetInterval = TimeSpan.FromMilliseconds(10);

    private readonly MemberId _self;
    private readonly LeasedBudgets _budgets;
    private readonly BudgetLedgerCore _ledger;
    private readonly Lock _ledgerLock = new();
    private readonly MonotonicClock _clock;
    private readonly IClusterLog _log;
    private readonly Func<string, CancellationToken, Task<string>> _answer;
    private readonly TaskCompletionSource _joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _rejected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _timer;
    private ClusterSnapshot _snapshot;
    private long _authority;
    private long _promotions;
    private long _moves;
    private ShardRegion? _region;
    private PeerLinks? _links;
    private PeerQuestions? _questions;
    private ClusterControl? _control;

    /// <summary>A node that has not joined.</summary>
    /// <param name="self">This node.</param>
    /// <param name="shardCount">Shards of the cluster.</param>
    /// <param name="budgets">What its decisions draw from.</param>
    /// <param name="policies">Whose budgets they are.</param>
    /// <param name="clock">The node's time.</param>
    /// <param name="answer">Answers what people ask on another node.</param>
    /// <param name="log">Told what happens.</param>
    public ClusterRuntime(
        MemberId self,
        int shardCount,
        LeasedBudgets budgets,
        PolicySet policies,
        MonotonicClock clock,
        Func<string, CancellationToken, Task<string>> answer,
        IClusterLog log)
    {
        _self = self;
        _budgets = budgets;
        _ledger = new BudgetLedgerCore(policies.Budgets, BudgetTiming.Default);
        _clock = clock;
        _answer = answer;
        _log = log;
        _snapshot = new ClusterSnapshot(self, [], ShardAllocation.Unowned(shardCount), default);
        TimeSpan interval = policies.Budgets.Count > 0 ? BudgetInterval : Timeout.InfiniteTimeSpan;
        _timer = clock.Time.CreateTimer(static runtime => ((ClusterRuntime)runtime!).Advance(), this, interval, interval);
    }

    /// <inheritdoc/>
    public ClusterSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>Completes when this node is a member with authority, and somebody owns the shards.</summary>
    public Task Joined => _joined.Task;

    /// <summary>Completes, with the reason, when this node cannot be in this cluster.</summary>
    public Task<string> Rejected => _rejected.Task;

    /// <summary>How long this node's lease is known to last; zero when it may not act.</summary>
    public TimeSpan LeaseRemaining => TimeSpan.FromMilliseconds(Math.Max(0, Volatile.Read(ref _authority) - _clock.Now));

    /// <summary>The connections.</summary>
    public PeerLinksStatus Links => _links?.Status ?? new PeerLinksStatus([], 0);

    /// <summary>Shards that this node as coordinator had begin empty.</summary>
    public long EmptiedShards => _control?.EmptiedShards ?? 0;

    /// <summary>Shards of which this node as coordinator made a stale copy the primary.</summary>
    public long StalePromotions => _control?.StalePromotions ?? 0;

    /// <summary>Shards of which a copy here became the primary because the one before was lost.</summary>
    public long Promotions => Volatile.Read(ref _promotions);

    /// <summary>Shards whose primary moved here or away by plan.</summary>
    public long Moves => Volatile.Read(ref _moves);

    /// <summary>What went between the shards here and other nodes.</summary>
    public FrameTraffic Traffic => _region is { } region ? FrameTraffic.Of(region) : new FrameTraffic();

    /// <summary>What this node has of the cluster's budgets.</summary>
    public IReadOnlyList<BudgetStatus> Budgets => _budgets.Status(_clock.Now);

    /// <summary>Makes the parts known to each other, before the control is made.</summary>
    public void Bind(ShardRegion region, PeerLinks links, PeerQuestions questions) => (_region, _links, _questions) = (region, links, questions);

    /// <summary>Makes the control known, which was made with this as its observer.</summary>
    public void Follow(ClusterControl control)
    {
        Volatile.Write(ref _control, control);
        ReportsChanged();
    }

    /// <summary>Some primary here has something else to say of its copies.</summary>
    public void ReportsChanged() => Volatile.Read(ref _control)?.SetReports(_region!.Reports);

    /// <inheritdoc/>
    public async Task<string?> AskAsync(MemberId member, string question, CancellationToken cancellationToken) =>
        member == _self ? await _answer(question, cancellationToken)
        : _questions is { } questions ? await questions.AskAsync(member, question, cancellationToken)
        : null;

    /// <inheritdoc/>
    public Task DrainAsync(CancellationToken cancellationToken) => _control?.DrainAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>Leaves the cluster.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        lock (_ledgerLock)
        {
            _ledger.Resign();
        }

        if (_control is { } control)
        {
            await control.LeaveAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _timer.DisposeAsync();

    /// <inheritdoc/>
    public PeerSend Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body) =>
        _links?.Send(to, kind, shard, id, payload, body) ?? PeerSend.NotConnected;

    void IPeerHandler.OnPacket(MemberId from, PeerPacket packet)
    {
        if (_region!.Receive(from, packet))
        {
            return;
        }

        PeerPacketReader messages = packet.Read();
        while (messages.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload))
        {
            if (header.Kind is PeerMessageKind.Ask or PeerMessageKind.Answer)
            {
                _questions!.Receive(from, header, payload);
            }
            else if (header.Kind is PeerMessageKind.BudgetDemand or PeerMessageKind.BudgetGrant)
            {
                ReceiveBudget(from, header.Kind, header.Id, payload);
            }
        }
    }

    void IPeerHandler.OnConnected(MemberId peer, PeerDirection direction)
    {
        _log.PeerConnected(peer, direction);
        _region!.ConnectionChanged(peer, connected: true);
    }

    void IPeerHandler.OnDisconnected(MemberId peer, PeerDirection direction, string problem)
    {
        _log.PeerDisconnected(peer, direction, problem);
        _region!.ConnectionChanged(peer, connected: false);
    }

    void IPeerHandler.OnProblem(string who, string problem) => _log.PeerProblem(who, problem);

    async Task<string?> IQuestionHandler.AnswerAsync(MemberId from, string question, CancellationToken cancellationToken) =>
        await _answer(question, cancellationToken);

    void IClusterControlObserver.SnapshotChanged(ClusterSnapshot snapshot)
    {
        ClusterSnapshot before = Snapshot;
        Volatile.Write(ref _snapshot, snapshot);
        OwnershipChanges changes = OwnershipChanges.Between(before, snapshot);
        Volatile.Write(ref _promotions, _promotions + changes.Promotions);
        Volatile.Write(ref _moves, _moves + changes.Moves);
        _links!.SetPeers(snapshot.Members);
        _region!.Apply(snapshot.Allocation);
        long now = _clock.Now;
        if (before.Coordinator != snapshot.Coordinator || !before.Members.Select(m => m.Id).SequenceEqual(snapshot.Members.Select(m => m.Id)))
        {
            _budgets.Changed(snapshot.Coordinator, now);
        }

        lock (_ledgerLock)
        {
            _ledger.SetMembers(snapshot.Members, now);
            Lead(now);
        }

        _log.Changed(before, snapshot);
        TryJoin();
    }

    void IClusterControlObserver.AuthorityChanged(long validUntil)
    {
        Volatile.Write(ref _authority, validUntil);
        _region!.SetAuthority(validUntil);
        lock (_ledgerLock)
        {
            Lead(_clock.Now);
        }

        TryJoin();
    }

    void IClusterControlObserver.Fenced() => _log.LeaseLost();

    void IClusterControlObserver.Unfenced(TimeSpan fenced) => _log.LeaseRegained(fenced);

    void IClusterControlObserver.Rejected(string problem) => _rejected.TrySetResult(problem);

    void IClusterControlObserver.StoreFailed(string problem) => _log.StoreFailed(problem);

    void IClusterControlObserver.StoreAnswers() => _log.StoreAnswers();

    void IClusterControlObserver.Faulted(Exception exception) => _log.Faulted(exception);

    void IBudgetEffects.Send(MemberId to, PeerMessageKind kind, ulong id, ReadOnlySpan<byte> payload)
    {
        if (to != _self)
        {
            Send(to, kind, 0, id, payload, []);
            return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(
            static message => message.Runtime.ReceiveBudget(message.Runtime._self, message.Kind, message.Id, message.Payload),
            (Runtime: this, Kind: kind, Id: id, Payload: payload.ToArray()),
            preferLocal: false);
    }

    private void ReceiveBudget(MemberId from, PeerMessageKind kind, ulong id, ReadOnlySpan<byte> payload)
    {
        long now = _clock.Now;
        if (kind == PeerMessageKind.BudgetGrant)
        {
            _budgets.Granted(from, id, payload, now);
            return;
        }

        lock (_ledgerLock)
        {
            _ledger.Demand(from, id, payload, now, this);
        }
    }

    /// <summary>The ledger leads while this node is the coordinator. Called under its lock.</summary>
    private void Lead(long now)
    {
        if (Snapshot.Coordinator == _self)
        {
            _ledger.Lead(Volatile.Read(ref _authority), now);
        }
        else
        {
            _ledger.Resign();
        }
    }

    private void Advance()
    {
        long now = _clock.Now;
        _budgets.Advance(now, this);
        lock (_ledgerLock)
        {
            _ledger.Advance(now);
        }
    }

    private void TryJoin()
    {
        if (Volatile.Read(ref _authority) > 0 && Snapshot.Allocation.Version > 0)
        {
            _joined.TrySetResult();
        }
    }
}

/// <summary>What happens in a cluster, for the log. Thread-safe.</summary>
public interface IClusterLog
{
    /// <summary>Members, coordinator or allocation have changed.</summary>
    void Changed(ClusterSnapshot before, ClusterSnapshot after);

    /// <summary>The lease may have ended, though the node does not leave; nothing is acknowledged or decided until it is renewed or there is another.</summary>
    void LeaseLost();

    /// <summary>There is a lease again.</summary>
    /// <param name="fenced">For how long nothing was acknowledged or decided.</param>
    void LeaseRegained(TimeSpan fenced);

    /// <summary>The store does not answer.</summary>
    void StoreFailed(string problem);

    /// <summary>The store answers again.</summary>
    void StoreAnswers();

    /// <summary>A fault of this program.</summary>
    void Faulted(Exception exception);

    /// <summary>There is a connection.</summary>
    void PeerConnected(MemberId peer, PeerDirection direction);

    /// <summary>A connection was lost.</summary>
    void PeerDisconnected(MemberId peer, PeerDirection direction, string problem);

    /// <summary>A peer cannot be reached or refuses, or a stranger was refused.</summary>
    void PeerProblem(string who, string problem);
}
