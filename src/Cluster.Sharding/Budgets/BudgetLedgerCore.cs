using System.Runtime.InteropServices;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Budgets;

/// <summary>
/// The coordinator's ledger: what of each budget is leased to which node, and what was spent. A synchronous state machine, on every node, at
/// work on the one that is the coordinator. Used by one thread at a time.
/// <code>
///            Lead                     Takeover has passed
///   (idle) --------&gt; (taking over) -----------------------&gt; (granting)
///      ^                  |                                     |
///      +------------------+--- Resign, or authority ran out ----+
/// </code>
/// </summary>
/// <remarks>
/// The promise: of a budget with rate r and burst B, no stretch of t seconds sees more than r t + B taken, in the whole cluster.
/// <para>
/// For each budget the ledger keeps O, what is leased (the sum of all leases), and F, what was spent and has not drained yet: F falls by r a
/// second, not below 0. Invariant: F + O &lt;= B. A lease is opened or enlarged only by what B - F - O leaves. When a part of a lease ends,
/// it leaves O; if it may have been spent it enters F at that moment, that is, not before it was spent. It ends when the node says so, with what it
/// holds, what it has spent and so what it gave up, or LedgerHold after the last grant to that node, all of it as spent.
/// </para>
/// <para>
/// Proof. Let s be a take in the stretch [u, v], and look at the ledger at v. The lease that s was taken from was granted before s, so before
/// v. If s is in O still, it is part of O(v). If not, it entered F at some time between s and v, so after u, and is still in F(v) or has drained
/// between u and v, together with at most r (v - u) in all. So the sum of takes is at most F(v) + O(v) + r (v - u) &lt;= B + r (v - u).
/// </para>
/// <para>
/// A new ledger knows nothing of its predecessor. It grants nothing until every lease of that one is over (Takeover), and begins with F = B, O = 0:
/// takes up to then keep the old ledger's promise, those later are at most r times the time since, and the two add up.
/// </para>
/// <para>
/// Time is in whole milliseconds: what enters F drains from the next one on. The ledger's clock may be fast: F drains 1 % slower than r.
/// </para>
/// Relied on: the authority of a coordinator ends, by its own clock, before another node can be the coordinator; the time given to
/// <see cref="Demand"/> was read after the message came in, and that given to <see cref="Lead"/> after the node read that it is the coordinator;
/// a message is from the run that it is said to be from.
/// Bounded: one lease for each member and budget.
/// </remarks>
internal sealed class BudgetLedgerCore
{
    private const long Micro = 1_000_000;

    /// <summary>For how long a demand that was not met counts as a rival of others, milliseconds.</summary>
    private const long RivalMilliseconds = 250;

    private readonly BudgetTiming _timing;
    private readonly Bucket[] _buckets;
    private readonly Dictionary<ulong, int> _indexes = [];
    private readonly Dictionary<MemberId, Node> _nodes = [];
    private readonly BudgetGrant[] _grants;
    private bool _leads;
    private long _authorityUntil;
    private long _grantsFrom;
    private long _now = long.MinValue;

    /// <summary>The ledger of a node that is not the coordinator.</summary>
    /// <param name="budgets"><c>PolicySet.Budgets</c>.</param>
    /// <param name="timing">The protocol's times.</param>
    public BudgetLedgerCore(IReadOnlyList<Budget> budgets, BudgetTiming timing)
    {
        _timing = timing;
        _buckets = [.. budgets.Select(b => new Bucket(b))];
        _grants = new BudgetGrant[Math.Min(budgets.Count, BudgetMessages.MaximumEntries)];
        ulong[] keys = BudgetKeys.Of(budgets);
        for (int i = 0; i < keys.Length; i++)
        {
            _indexes.Add(keys[i], i);
        }
    }

    /// <summary>
    /// This node is the coordinator, and its authority lasts until <paramref name="authorityUntil"/>. To be called when it becomes so, and each
    /// time that the authority is extended. If it ran out in between, another node may have been coordinator: the ledger begins anew.
    /// </summary>
    public void Lead(long authorityUntil, long now)
    {
        if (!Leads(now))
        {
            _leads = true;
            _grantsFrom = _now + _timing.Takeover;
            foreach (Bucket bucket in _buckets)
            {
                bucket.Exhaust(_grantsFrom);
            }

            foreach (Node node in _nodes.Values)
            {
                Array.Clear(node.Leases);
            }
        }

        _authorityUntil = authorityUntil;
    }

    /// <summary>This node is not the coordinator (any more). To be called before it gives the role up by itself.</summary>
    public void Resign() => _leads = false;

    /// <summary>Who is in the cluster: nobody else is granted anything.</summary>
    public void SetMembers(IReadOnlyList<Member> members, long now)
    {
        Close(now);
        foreach (Node node in _nodes.Values)
        {
            node.IsMember = false;
        }

        foreach (Member member in members)
        {
            ref Node? node = ref CollectionsMarshal.GetValueRefOrAddDefault(_nodes, member.Id, out _);
            node ??= new Node(_buckets.Length);
            node.IsMember = true;
        }

        Forget();
    }

    /// <summary>Time has passed: ends leases that nobody can spend from any more. To be called about once a second.</summary>
    public void Advance(long now)
    {
        Close(now);
        Forget();
    }

    /// <summary>A node's demand, answered at once if this is the coordinator's ledger and the node is a member.</summary>
    /// <param name="from">The node.</param>
    /// <param name="id">The header's number. One that is not newer than the last is old or repeated, and says nothing.</param>
    /// <param name="payload">Any bytes.</param>
    /// <param name="now">Monotonic milliseconds, read after the message came in.</param>
    /// <param name="effects">Sends the answer.</param>
    public void Demand(MemberId from, ulong id, ReadOnlySpan<byte> payload, long now, IBudgetEffects effects)
    {
        if (!Leads(now) || _now < _grantsFrom || !_nodes.TryGetValue(from, out Node? node) || !node.IsMember
            || !BudgetMessages.TryRead(payload, out ReadOnlySpan<BudgetDemand> demands))
        {
            return;
        }

        Close(now);
        int count = 0;
        foreach (ref readonly BudgetDemand demand in demands)
        {
            if (_indexes.TryGetValue(demand.Key, out int budget) && node.Leases[budget].LastId < id)
            {
                node.Leases[budget].LastId = id;
                Settle(ref node.Leases[budget], _buckets[budget], demand);
                _grants[count++] = Grant(node, budget, demand);
            }
        }

        if (count > 0)
        {
            effects.Send(from, PeerMessageKind.BudgetGrant, id, MemoryMarshal.AsBytes(_grants.AsSpan(0, count)));
        }
    }

    private bool Leads(long now)
    {
        _now = Math.Max(_now, now);
        _leads = _leads && _now < _authorityUntil;
        return _leads;
    }

    /// <summary>
    /// Books what the node says of its lease. Until the answer to this demand arrives there, it spends at most what it says it holds: it takes
    /// no older answer any more.
    /// </summary>
    private void Settle(ref Lease lease, Bucket bucket, in BudgetDemand demand)
    {
        // A lease that has ended here, or is a predecessor's, is not revived by what the node believes to hold.
        long held = Math.Min(demand.Held, lease.Units);
        long spent = lease.IsKnown ? Math.Clamp(demand.Spent - lease.Spent, 0, lease.Units - held) : 0;
        bucket.Leased -= lease.Units - held;
        bucket.Spend(spent, _now);
        lease.Units = held;
        lease.Spent = demand.Spent;
        lease.IsKnown = true;
    }

    /// <summary>
    /// Enlarges the lease by the node's share of what is left: in proportion to what it misses and others miss. If such a share is of no use,
    /// the least that is, or nothing: crumbs on many nodes would let no trace pass.
    /// </summary>
    private BudgetGrant Grant(Node node, int budget, in BudgetDemand demand)
    {
        ref Lease lease = ref node.Leases[budget];
        Bucket bucket = _buckets[budget];
        long free = bucket.Free(_now);
        long missing = Math.Max(0, Math.Min(demand.Wanted, bucket.Burst) - lease.Units);
        lease.Missing = 0;
        long share = missing == 0 ? 0 : Math.Min(missing, (long)((Int128)free * missing / (missing + MissedByOthers(budget))));
        long useful = Math.Clamp(demand.Least - lease.Units, 0, missing);
        if (share < useful)
        {
            share = free >= useful ? useful : 0;
        }

        lease.Units += share;
        lease.EndsAt = _now + _timing.LedgerHold;
        lease.Missing = missing - share;
        lease.MissingSince = _now;
        bucket.Leased += share;
        return new BudgetGrant { Key = demand.Key, Lease = lease.Units, Left = free - share };
    }

    private long MissedByOthers(int budget)
    {
        Int128 sum = 0;
        foreach (Node node in _nodes.Values)
        {
            ref readonly Lease lease = ref node.Leases[budget];
            sum += node.IsMember && lease.MissingSince > _now - RivalMilliseconds ? lease.Missing : 0;
        }

        return (long)Int128.Min(sum, long.MaxValue / 2);
    }

    /// <summary>Takes what is left of leases that are over for spent.</summary>
    private void Close(long now)
    {
        _now = Math.Max(_now, now);
        foreach (Node node in _nodes.Values)
        {
            for (int i = 0; i < node.Leases.Length; i++)
            {
                ref Lease lease = ref node.Leases[i];
                if (lease.Units > 0 && _now >= lease.EndsAt)
                {
                    _buckets[i].Leased -= lease.Units;
                    _buckets[i].Spend(lease.Units, _now);
                    lease.Units = 0;
                }
            }
        }
    }

    private void Forget()
    {
        foreach ((MemberId id, Node node) in _nodes)
        {
            if (!node.IsMember && Array.TrueForAll(node.Leases, lease => lease.Units == 0))
            {
                _nodes.Remove(id);
            }
        }
    }

    /// <summary>One node's leases, by budget.</summary>
    private sealed class Node(int budgets)
    {
        public readonly Lease[] Leases = new Lease[budgets];
        public bool IsMember;
    }

    /// <summary>What one node has of one budget.</summary>
    private struct Lease
    {
        public ulong LastId;
        public bool IsKnown;
        public long Units;
        public long EndsAt;
        public long Spent;
        public long Missing;
        public long MissingSince;
    }

    /// <summary>F and O of one budget.</summary>
    private sealed class Bucket(Budget budget)
    {
        private readonly long _capacity = (long)(Math.Clamp(budget.Burst, 0, BudgetMessages.MaximumUnits) * Micro);
        private readonly long _perMillisecond = (long)(
            Math.Clamp(budget.PerSecond, 0, BudgetMessages.MaximumUnits) * (Micro / 1000) * (1000 - BudgetTiming.DriftPerMille) / 1000 + 1e-6);
        private long _spent;
        private long _spentNow;
        private long _drainedAt = long.MinValue;

        /// <summary>The most that a lease can be.</summary>
        public long Burst => _capacity / Micro;

        /// <summary>O: units of all leases.</summary>
        public long Leased { get; set; }

        /// <summary>Whole units that can be leased.</summary>
        public long Free(long now)
        {
            Drain(now);
            return Math.Max(0, (_capacity - _spent - _spentNow) / Micro - Leased);
        }

        /// <summary>Units that were spent at some time up to now enter F.</summary>
        public void Spend(long units, long now)
        {
            Drain(now);
            _spentNow += units * Micro;
        }

        /// <summary>F = B, to drain from a time on; no lease.</summary>
        public void Exhaust(long from)
        {
            (_spent, _spentNow, _drainedAt, Leased) = (_capacity, 0, from, 0);
        }

        /// <summary>What entered within a millisecond may have been spent at its very end: it does not drain in it.</summary>
        private void Drain(long now)
        {
            if (now <= _drainedAt)
            {
                return;
            }

            _spent = Math.Max(0, _spent - _perMillisecond) + _spentNow;
            _spentNow = 0;
            Int128 drained = ((Int128)now - _drainedAt - 1) * _perMillisecond;
            _spent = drained < _spent ? _spent - (long)drained : 0;
            _drainedAt = now;
        }
    }
}
