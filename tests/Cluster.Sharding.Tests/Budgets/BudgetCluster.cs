using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Budgets;

/// <summary>
/// Nodes with clocks of their own, a network between them, and a store that knows who is alive and who is the coordinator; all from one seed, in one
/// thread, in true microseconds. Decisions are made by <see cref="Decide"/>.
/// </summary>
internal sealed class BudgetCluster
{
    private const long Milli = 1000;
    private const long TimeToLive = 2000;
    private const long Margin = 200;

    private readonly PriorityQueue<Action, (long, long)> _events = new();
    private readonly Dictionary<MemberId, long> _leases = [];
    private readonly BudgetTiming _timing;
    private long _sequence;
    private ulong _incarnations;
    private long _version;
    private MemberId _coordinator;

    public BudgetCluster(int seed, IReadOnlyList<Budget> budgets, int nodes, BudgetTiming? timing = null)
    {
        Random = new Random(seed);
        Budgets = budgets;
        _timing = timing ?? BudgetTiming.Default;
        Taken = [.. budgets.Select(_ => new List<(long, long)>())];
        for (int i = 0; i < nodes; i++)
        {
            Nodes.Add(new BudgetNode(this, i));
        }
    }

    public Random Random { get; }

    public IReadOnlyList<Budget> Budgets { get; }

    public List<BudgetNode> Nodes { get; } = [];

    /// <summary>What was taken of each budget: true microseconds, units.</summary>
    public List<(long At, long Units)>[] Taken { get; }

    /// <summary>Every trace that came: true microseconds, size.</summary>
    public List<(long At, long Size)> Came { get; } = [];

    /// <summary>How a node decides on a trace of some size; true if it is kept.</summary>
    public Func<IBudgets, long, long, bool> Decide { get; init; } = (budgets, size, now) => budgets.TryTake(0, size, now);

    /// <summary>Share of messages between nodes that are lost.</summary>
    public double Loss { get; set; }

    /// <summary>Share of messages between nodes that arrive twice.</summary>
    public double Duplication { get; set; }

    /// <summary>Share of messages between nodes that are late, by up to 3 s.</summary>
    public double Lateness { get; set; }

    /// <summary>How often a decision is put off at most.</summary>
    public int Patience { get; init; } = 3;

    /// <summary>A deliberate fault: coordinators do not care for their leases.</summary>
    public bool IgnoresAuthority { get; init; }

    /// <summary>True time, microseconds.</summary>
    public long Now { get; private set; }

    public MemberId Coordinator => _coordinator;

    public int Messages { get; private set; }

    /// <summary>Takes so far, of one budget.</summary>
    public long Total(int budget = 0) => Taken[budget].Sum(t => t.Units);

    public void At(long inMilliseconds, Action action) => _events.Enqueue(action, (Now + inMilliseconds * Milli, _sequence++));

    public void Run(double seconds)
    {
        long end = Now + (long)(seconds * 1e6);
        while (_events.TryPeek(out _, out (long At, long) next) && next.At <= end)
        {
            Action action = _events.Dequeue();
            Now = next.At;
            action();
        }

        Now = end;
    }

    private void Elect()
    {
        if (_coordinator.IsNone && _leases.Count > 0)
        {
            _coordinator = _leases.Keys.ElementAt(Random.Next(_leases.Count));
            Publish();
        }
    }

    internal void Send(BudgetNode from, MemberId to, PeerMessageKind kind, ulong id, byte[] payload)
    {
        Messages++;
        BudgetNode? target = Nodes.Find(n => n.Id == to);
        bool isLocal = target == from;
        MemberId sender = from.Id;
        if (target is null || (!isLocal && (from.IsCutOff || target.IsCutOff || Random.NextDouble() < Loss)))
        {
            return;
        }

        for (int copies = isLocal || Random.NextDouble() >= Duplication ? 1 : 2; copies > 0; copies--)
        {
            long delay = isLocal ? 20 : Random.NextDouble() < Lateness ? Random.NextInt64(3_000_000) : 100 + Random.NextInt64(2000);
            _events.Enqueue(() => target.Do(to, () => target.Receive(sender, kind, id, payload)), (Now + delay, _sequence++));
        }
    }

    internal MemberId NewId(int index) => new($"n{index}", ++_incarnations);

    internal BudgetTiming Timing => _timing;

    /// <summary>A keep-alive arrives at the store, or a node registers.</summary>
    internal BudgetView KeepAlive(MemberId id)
    {
        bool isNew = !_leases.ContainsKey(id);
        long end = Now + TimeToLive * Milli;
        _leases[id] = end;
        At(TimeToLive + 1, () => EndLease(id));
        if (isNew)
        {
            Publish();
            At(1 + Random.Next(100), Elect);
        }

        return View();
    }

    /// <summary>A node gives its lease back: somebody else may be the coordinator at once.</summary>
    internal void Revoke(MemberId id)
    {
        _leases[id] = Now;
        EndLease(id);
    }

    internal long Authority(long sentAt) => IgnoresAuthority ? long.MaxValue : sentAt + TimeToLive - Margin;

    internal long KeepAliveEvery => TimeToLive / 3;

    private void EndLease(MemberId id)
    {
        if (_leases.TryGetValue(id, out long end) && end <= Now)
        {
            _leases.Remove(id);
            if (_coordinator == id)
            {
                _coordinator = default;
                At(1 + Random.Next(100), Elect);
            }

            Publish();
        }
    }

    private void Publish()
    {
        _version++;
        foreach (BudgetNode node in Nodes)
        {
            MemberId id = node.Id;
            BudgetView view = View();
            At(1 + Random.Next(50), () => node.Do(id, () => node.See(view)));
        }
    }

    private BudgetView View() => new(_version, [.. _leases.Keys.Select(k => new Member(k, ""))], _coordinator);
}

/// <summary>What the store says at some time.</summary>
internal sealed record BudgetView(long Version, IReadOnlyList<Member> Members, MemberId Coordinator);
