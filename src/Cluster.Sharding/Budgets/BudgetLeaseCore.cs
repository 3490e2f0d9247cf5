using System.Runtime.InteropServices;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Budgets;

/// <summary>
/// One node's leases on the cluster's budgets: what its decisions may take, and what to ask the coordinator for. A synchronous state machine.
/// Used by one thread at a time.
/// <code>
///                demand sent                     answer to the newest demand
///   (nothing) ----------------&gt; (asked) -----------------------------------&gt; (leased) ---+
///       ^                          ^  |  no answer for Renew: asked again        |       | taken from, asked again
///       |                          |  +-----+                                    | &lt;-----+ (what is held stays usable)
///       |                          +--------+                                    |
///       +---------------------- Hold has passed since the demand was sent -------+
/// </code>
/// </summary>
/// <remarks>
/// Invariants, for each budget:
/// <list type="bullet">
/// <item>A lease is spent from until Hold after the demand that it answers was sent, by this node's clock: delay on the way only shortens it.</item>
/// <item>
/// Only the answer to the newest demand is taken, once, and from the coordinator that was asked. So a demand can say exactly what this node has:
/// what it holds, what it has spent, and that all else that was ever granted is given up.
/// </item>
/// <item>The answer counts as of its demand: what was spent since is taken off.</item>
/// </list>
/// What is asked for: what decisions wait for, and what the decisions of the next 200 ms will ask for, if they go on like those
/// of late; the latter only if there are a few of them, since what is held for a rare one is missing elsewhere. What is held beyond that is
/// given back, three quarters of it each 100 ms.
/// Time that goes back counts as the latest seen.
/// </remarks>
internal sealed class BudgetLeaseCore
{
    /// <summary>A lease is renewed, and an unanswered demand repeated, after this long, milliseconds.</summary>
    public const long RenewMilliseconds = 250;

    /// <summary>Demands for one budget are at least this far apart, milliseconds.</summary>
    public const long GapMilliseconds = 50;

    /// <summary>Demands for what decisions wait for are at least this far apart, milliseconds.</summary>
    public const long UrgentGapMilliseconds = 20;

    /// <summary>A decision that is refused units that may be elsewhere asks again after this long: a demand and its answer fit in.</summary>
    public const int AskAgainMilliseconds = 30;

    /// <summary>What is held and not expected to be used is given back after this long, all but a quarter, milliseconds.</summary>
    public const long ReturnMilliseconds = 100;

    private const double AheadMilliseconds = 200;
    private const double FewestAskers = 2;

    private readonly BudgetTiming _timing;
    private readonly Lease[] _leases;
    private readonly BudgetDemand[] _demands;
    private readonly Dictionary<ulong, int> _indexes = [];
    private MemberId _coordinator;
    private ulong _lastId;
    private long _now = long.MinValue;

    /// <summary>A node that has nothing, and does not know whom to ask.</summary>
    /// <param name="budgets"><c>PolicySet.Budgets</c>.</param>
    /// <param name="timing">The protocol's times.</param>
    public BudgetLeaseCore(IReadOnlyList<Budget> budgets, BudgetTiming timing)
    {
        _timing = timing;
        ulong[] keys = BudgetKeys.Of(budgets);
        _leases = [.. budgets.Select((budget, i) => new Lease(budget, keys[i]))];
        _demands = new BudgetDemand[Math.Min(budgets.Count, BudgetMessages.MaximumEntries)];
        for (int i = 0; i < keys.Length; i++)
        {
            _indexes.Add(keys[i], i);
        }
    }

    /// <summary>Whether so many units are here.</summary>
    public bool Holds(int budget, long amount, long now) => amount <= Current(budget, now).Held;

    /// <summary>Whether so many units are here; if not, they count as demand.</summary>
    public bool Wants(int budget, long amount, long now)
    {
        Lease lease = Current(budget, now);
        if (amount <= lease.Held)
        {
            return true;
        }

        lease.Note(amount);
        return false;
    }

    /// <summary>Takes so many units, or none; they count as demand.</summary>
    public bool Take(int budget, long amount, long now)
    {
        Lease lease = Current(budget, now);
        lease.Note(amount);
        if (amount > lease.Held)
        {
            return false;
        }

        lease.Held -= amount;
        lease.Spent += amount;
        return true;
    }

    /// <summary>
    /// When a decision that was refused so many units is to ask again, milliseconds: they are asked for meanwhile, and kept for a while. 0 when the
    /// cluster is not thought to have them.
    /// </summary>
    public int AskAgainIn(int budget, long amount, long now)
    {
        Lease lease = Current(budget, now);
        double left = lease.Left + lease.PerMillisecond * (_now - lease.LeftAt);
        if (amount > lease.Burst || lease.Waiting + amount - lease.Held > left || _coordinator.IsNone)
        {
            return 0;
        }

        lease.Waiting = Math.Min(lease.Waiting + amount, BudgetMessages.MaximumUnits);
        lease.LeastWaiting = Math.Min(lease.LeastWaiting, amount);
        lease.Shortages++;
        return AskAgainMilliseconds;
    }

    /// <summary>What there is to say of a budget at a time; nothing changes by asking.</summary>
    public BudgetStatus Status(int budget, string policy, long now)
    {
        Lease lease = _leases[budget];
        return new BudgetStatus(policy, Math.Max(_now, now) < lease.EndsAt ? lease.Held : 0, lease.Spent, lease.Shortages);
    }

    /// <summary>The members have changed, or the coordinator has: leases are asked for anew, at once.</summary>
    /// <param name="coordinator">Who is to be asked; may be this node, or nobody.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Changed(MemberId coordinator, long now)
    {
        _now = Math.Max(_now, now);
        bool isOther = coordinator != _coordinator;
        _coordinator = coordinator;
        foreach (Lease lease in _leases)
        {
            lease.IsUrgent = true;
            if (isOther)
            {
                (lease.AwaitedId, lease.Left, lease.LeftAt) = (0, 0, _now);
            }
        }
    }

    /// <summary>Time has passed: asks for what is due to be asked for. To be called every 10 to 20 ms.</summary>
    public void Advance(long now, IBudgetEffects effects)
    {
        _now = Math.Max(_now, now);
        if (_coordinator.IsNone)
        {
            return;
        }

        for (int next = 0; next < _leases.Length;)
        {
            int count = 0;
            ulong id = _lastId + 1;
            for (; next < _leases.Length && count < _demands.Length; next++)
            {
                Lease lease = Current(next, now);
                if (lease.IsDue(_now))
                {
                    _demands[count++] = lease.Demand(id, _now);
                }
            }

            if (count > 0)
            {
                _lastId = id;
                effects.Send(_coordinator, PeerMessageKind.BudgetDemand, id, MemoryMarshal.AsBytes(_demands.AsSpan(0, count)));
            }
        }
    }

    /// <summary>The coordinator's answer.</summary>
    /// <param name="from">Who answers.</param>
    /// <param name="id">The header's number: which demand it answers.</param>
    /// <param name="payload">Any bytes.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Granted(MemberId from, ulong id, ReadOnlySpan<byte> payload, long now)
    {
        if (from != _coordinator || !BudgetMessages.TryRead(payload, out ReadOnlySpan<BudgetGrant> grants))
        {
            return;
        }

        foreach (ref readonly BudgetGrant grant in grants)
        {
            if (_indexes.TryGetValue(grant.Key, out int budget))
            {
                Lease lease = Current(budget, now);
                if (lease.AwaitedId == id && id != 0 && _now < lease.SentAt + _timing.Hold)
                {
                    lease.Accept(grant, lease.SentAt + _timing.Hold, _now);
                }
            }
        }
    }

    private Lease Current(int budget, long now)
    {
        _now = Math.Max(_now, now);
        Lease lease = _leases[budget];
        if (_now >= lease.EndsAt)
        {
            lease.Held = 0;
        }

        return lease;
    }

    /// <summary>This node's lease on one budget.</summary>
    private sealed class Lease(Budget budget, ulong key)
    {
        public readonly long Burst = (long)Math.Clamp(budget.Burst, 0, BudgetMessages.MaximumUnits);
        public readonly double PerMillisecond = Math.Clamp(budget.PerSecond, 0, BudgetMessages.MaximumUnits) / 1000;

        /// <summary>Units that can be taken, until <see cref="EndsAt"/>; and all that ever were.</summary>
        public long Held;
        public long EndsAt = long.MinValue;
        public long Spent;

        /// <summary>Units that decisions wait for and no answer was about; the least of them at once.</summary>
        public long Waiting;
        public long LeastWaiting = long.MaxValue;

        /// <summary>How often decisions began to wait.</summary>
        public long Shortages;

        /// <summary>What the coordinator had left when it last answered.</summary>
        public long Left;
        public long LeftAt;

        /// <summary>The newest demand, 0 when it was answered; when it was sent, and what was spent and waited for then.</summary>
        public ulong AwaitedId;
        public long SentAt = long.MinValue / 2;
        public bool IsUrgent;
        private long _spentThen;
        private long _waitingThen;

        /// <summary>Since the last demand: decisions that asked, and units that they asked for.</summary>
        private int _askers;
        private double _asked;

        /// <summary>The same in a millisecond, of late; what is expected to be asked for; what was wanted of late, at its highest.</summary>
        private double _askerPace;
        private double _pace;
        private long _expected;
        private double _peak;

        public void Note(long amount)
        {
            if (amount <= Burst)
            {
                _askers++;
                _asked += amount;
            }
        }

        public bool IsDue(long now)
        {
            bool isUsed = Held > 0 || Spent > _spentThen || Waiting > 0 || _askers > 0 || _expected > 0;
            long passed = now - SentAt;
            return isUsed && (IsUrgent || passed >= RenewMilliseconds
                || (AwaitedId == 0 && passed >= UrgentGapMilliseconds && Waiting > 0)
                || (AwaitedId == 0 && passed >= GapMilliseconds && (Held < _expected / 2 || Held < Spent - _spentThen))
                || (AwaitedId == 0 && passed >= ReturnMilliseconds && Held > _expected));
        }

        public BudgetDemand Demand(ulong id, long now)
        {
            double passed = Math.Clamp(now - SentAt, 1, RenewMilliseconds);
            double weight = passed / (passed + AheadMilliseconds);
            _pace += weight * (_asked / passed - _pace);
            _askerPace += weight * (_askers / passed - _askerPace);

            // Where decisions are rare, what is held for the next one would only be missing elsewhere: that one had better wait.
            _expected = _askerPace * AheadMilliseconds < FewestAskers ? 0 : Math.Min(Burst, (long)(_pace * AheadMilliseconds));
            long wanted = Math.Min(Burst, _expected + Waiting);
            _peak = Math.Max(wanted, _peak * Math.Pow(0.25, passed / ReturnMilliseconds));
            Held = Math.Min(Held, (long)_peak);
            (_askers, _asked, _spentThen, _waitingThen) = (0, 0, Spent, Waiting);
            (AwaitedId, SentAt, IsUrgent) = (id, now, false);
            return new BudgetDemand
            {
                Key = key,
                Spent = Spent,
                Held = Held,
                Wanted = Math.Max(Held, wanted),
                Least = Waiting > 0 ? LeastWaiting : 0,
            };
        }

        public void Accept(in BudgetGrant grant, long endsAt, long now)
        {
            AwaitedId = 0;
            Held = Math.Max(0, Math.Min(grant.Lease, Burst) - (Spent - _spentThen));
            EndsAt = endsAt;
            (Left, LeftAt) = (grant.Left, now);
            Waiting -= _waitingThen;
            LeastWaiting = Waiting > 0 ? LeastWaiting : long.MaxValue;
        }
    }
}
