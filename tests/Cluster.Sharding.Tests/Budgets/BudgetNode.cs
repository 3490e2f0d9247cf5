using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Budgets;

/// <summary>One node of a <see cref="BudgetCluster"/>: both cores, driven as they are to be, and decisions on traces that come at random.</summary>
internal sealed class BudgetNode : IBudgetEffects, IBudgets
{
    private readonly BudgetCluster _cluster;
    private readonly double _speed;
    private readonly int _index;
    private readonly long _offset;
    private BudgetLeaseCore _leases;
    private BudgetLedgerCore _ledger;
    private BudgetView? _view;
    private long _authority = long.MinValue;
    private long _pausedUntil;
    private long _nextArrival;

    public BudgetNode(BudgetCluster cluster, int index)
    {
        _cluster = cluster;
        _index = index;
        _speed = 1 + (cluster.Random.NextDouble() * 2 - 1) * 0.0099;
        _offset = cluster.Random.NextInt64(1_000_000_000);
        (_leases, _ledger) = (new(cluster.Budgets, cluster.Timing), new(cluster.Budgets, cluster.Timing));
        Start();
    }

    public MemberId Id { get; private set; }

    /// <summary>Neither nodes nor the store are reached.</summary>
    public bool IsCutOff { get; set; }

    /// <summary>Traces a second, and how large they are.</summary>
    public double TracesPerSecond { get; set; }

    public Func<Random, long> Size { get; set; } = random => random.NextInt64(3, 11);

    /// <summary>Units that were taken here, of all budgets.</summary>
    public long Taken { get; private set; }

    public bool IsGone => Id.IsNone;

    private long Local => _offset + (long)Math.Floor(_cluster.Now * _speed / 1000);

    /// <summary>A new run: nothing of the last is left.</summary>
    public void Start()
    {
        Id = _cluster.NewId(_index);
        (_leases, _ledger) = (new(_cluster.Budgets, _cluster.Timing), new(_cluster.Budgets, _cluster.Timing));
        (_view, _authority, _pausedUntil, _nextArrival) = (null, long.MinValue, 0, _cluster.Now);
        MemberId id = Id;
        _cluster.At(_cluster.Random.Next(50), () => Do(id, KeepAlive));
        _cluster.At(_cluster.Random.Next(50), () => Do(id, Tick));
        _cluster.At(_cluster.Random.Next(50), () => Do(id, Arrive));
    }

    /// <summary>The process ends, as by a signal that cannot be caught.</summary>
    public void Crash() => Id = default;

    /// <summary>Gives up the role of coordinator, if it has that, and its lease, and ends; unless it is busy.</summary>
    public void Leave()
    {
        if (_cluster.Now >= _pausedUntil && !IsCutOff && !IsGone)
        {
            if (!_cluster.IgnoresAuthority)
            {
                _ledger.Resign();
            }

            _cluster.Revoke(Id);
            Crash();
        }
    }

    public void Pause(long milliseconds) => _pausedUntil = _cluster.Now + milliseconds * 1000;

    /// <summary>Does something as a run of this node, if that is alive, when it is not paused.</summary>
    public void Do(MemberId id, Action action)
    {
        if (Id != id || id.IsNone)
        {
            return;
        }

        if (_cluster.Now < _pausedUntil)
        {
            _cluster.At((_pausedUntil - _cluster.Now + 999) / 1000, () => Do(id, action));
            return;
        }

        action();
    }

    public void See(BudgetView view)
    {
        if (IsCutOff || view.Version < _view?.Version)
        {
            return;
        }

        bool isChange = view.Version != _view?.Version;
        _view = view;
        if (isChange)
        {
            _leases.Changed(view.Coordinator, Local);
            _ledger.SetMembers(view.Members, Local);
        }

        if (view.Coordinator == Id)
        {
            _ledger.Lead(_authority, Local);
        }
        else if (!_cluster.IgnoresAuthority)
        {
            _ledger.Resign();
        }
    }

    public void Receive(MemberId from, PeerMessageKind kind, ulong id, byte[] payload)
    {
        if (kind == PeerMessageKind.BudgetDemand)
        {
            _ledger.Demand(from, id, payload, Local, this);
        }
        else
        {
            _leases.Granted(from, id, payload, Local);
        }
    }

    void IBudgetEffects.Send(MemberId to, PeerMessageKind kind, ulong id, ReadOnlySpan<byte> payload) =>
        _cluster.Send(this, to, kind, id, payload.ToArray());

    public bool CanTake(int budget, long amount, long nowMilliseconds) => _leases.Holds(budget, amount, nowMilliseconds);

    public bool WouldTake(int budget, long amount, long nowMilliseconds) => _leases.Wants(budget, amount, nowMilliseconds);

    public int AskAgainIn(int budget, long amount, long nowMilliseconds) => _leases.AskAgainIn(budget, amount, nowMilliseconds);

    public bool TryTake(int budget, long amount, long nowMilliseconds)
    {
        bool isTaken = _leases.Take(budget, amount, nowMilliseconds);
        if (isTaken)
        {
            _cluster.Taken[budget].Add((_cluster.Now, amount));
            Taken += amount;
        }

        return isTaken;
    }

    private void KeepAlive()
    {
        MemberId id = Id;
        _cluster.At(_cluster.KeepAliveEvery, () => Do(id, KeepAlive));
        if (IsCutOff)
        {
            return;
        }

        long sentAt = Local;
        _cluster.At(1 + _cluster.Random.Next(20), () =>
        {
            BudgetView view = _cluster.KeepAlive(id);
            _cluster.At(1 + _cluster.Random.Next(20), () => Do(id, () =>
            {
                _authority = Math.Max(_authority, _cluster.Authority(sentAt));
                See(view);
            }));
        });
    }

    private void Tick()
    {
        MemberId id = Id;
        _cluster.At(10, () => Do(id, Tick));
        _leases.Advance(Local, this);
        _ledger.Advance(Local);
    }

    /// <summary>Traces that became due since the last time; after a pause that is many at once.</summary>
    private void Arrive()
    {
        MemberId id = Id;
        for (int i = 0; TracesPerSecond > 0 && _nextArrival <= _cluster.Now && i < 1000; i++)
        {
            long size = Size(_cluster.Random);
            _cluster.Came.Add((_nextArrival, size));
            Decide(size, _cluster.Patience);
            _nextArrival += (long)(-Math.Log(1 - _cluster.Random.NextDouble()) / TracesPerSecond * 1e6);
        }

        // Without demand it looks again soon.
        _nextArrival = TracesPerSecond > 0 ? Math.Max(_nextArrival, _cluster.Now) : _cluster.Now + 100_000;
        _cluster.At(Math.Min(1000, (_nextArrival - _cluster.Now) / 1000 + 1), () => Do(id, Arrive));
    }

    private void Decide(long size, int patience)
    {
        PatientBudgets budgets = new(this);
        budgets.Begin();

        // The time that a decision is made with was read a little earlier.
        if (!_cluster.Decide(budgets, size, Local - _cluster.Random.Next(4)) && budgets.AgainIn > 0 && patience > 0)
        {
            MemberId id = Id;
            _cluster.At(budgets.AgainIn, () => Do(id, () => Decide(size, patience - 1)));
        }
    }
}
