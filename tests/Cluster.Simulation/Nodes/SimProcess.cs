using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Network;

namespace Cluster.Simulation.Nodes;

/// <summary>
/// One run of one node: the real cores, put together as a node puts them together, with mailboxes between them that take a moment. It
/// holds no rule of any protocol.
/// </summary>
internal sealed class SimProcess : IClusterControlEffects, IDisposable
{
    private readonly SimWorld _world;
    private readonly SimRandom _random;
    private readonly ClusterControlCore _control;
    private readonly SimWorker[] _workers;
    private readonly SimGateway _gateway;
    private readonly IReadOnlyList<ShardReport>[] _reports;
    private ShardAllocation? _told;
    private long _lastNote;
    private int _ticks;

    /// <summary>A process that begins to join.</summary>
    public SimProcess(SimWorld world, SimNode node, ulong incarnation)
    {
        _world = world;
        Node = node;
        Id = new MemberId(node.Name, incarnation);
        Name = $"{node.Name}.{incarnation:x4}"[..(node.Name.Length + 5)];
        _random = new SimRandom(incarnation, 1);
        Clock = new NodeClock(world.Scheduler, _random);
        _control = new ClusterControlCore(world.Options.Control, world.Options.MemberOf(Id, node.Index), this);
        _workers = new SimWorker[world.Options.Workers];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new SimWorker(world, this, i, _workers.Length);
        }

        _gateway = new SimGateway(world, this);
        _reports = [.. _workers.Select(worker => worker.Host.Reports)];
    }

    /// <summary>Where it runs.</summary>
    public SimNode Node { get; }

    /// <summary>Who it is.</summary>
    public MemberId Id { get; }

    /// <summary>Short, for the log.</summary>
    public string Name { get; }

    /// <summary>Its own time.</summary>
    public NodeClock Clock { get; }

    /// <summary>Its worker loops.</summary>
    public IReadOnlyList<SimWorker> Workers => _workers;

    /// <summary>Its door.</summary>
    public SimGateway Gateway => _gateway;

    /// <summary>What it knows of the cluster; null before it is in.</summary>
    public ClusterSnapshot? Snapshot { get; private set; }

    /// <summary>Where its gateway sends frames; null before it is in.</summary>
    public ShardAllocation? Routes { get; private set; }

    /// <summary>Whether it owes nobody anything.</summary>
    public bool IsIdle => _gateway.UnderWay == 0 && _workers.All(worker => worker.Exports.UnderWay == 0);

    /// <summary>Begins to join and to live.</summary>
    public void Start()
    {
        Post(0, () => _control.Start(Clock.Now));
        Tick();
    }

    /// <summary>Lets something happen here after some microseconds, if it still runs.</summary>
    public void Post(long delay, Action happening) => PostAt(_world.Scheduler.Now + delay, happening);

    /// <summary>Lets something happen here at a true time, if it still runs.</summary>
    public void PostAt(long time, Action happening) => _world.Scheduler.At(time, () => Node.Run(this, happening));

    /// <summary>The worker loop that carries a shard.</summary>
    public SimWorker WorkerOf(int shard) => _workers[shard % _workers.Length];

    /// <summary>A message of a peer.</summary>
    public void Receive(MemberId from, PeerLetter letter)
    {
        switch (letter.Header.Kind)
        {
            case PeerMessageKind.Deliver:
                WorkerOf(letter.Header.Shard).DeliverFor(from, letter);
                break;
            case PeerMessageKind.Delivered:
                _gateway.Delivered(letter.Header.Id, (Refusal)letter.Payload[0]);
                break;
            default:
                byte[] payload = _world.Mutations.Replication(letter);
                WorkerOf(letter.Header.Shard).Host.Receive(from, letter.Header, payload, Clock.Now);
                WorkerOf(letter.Header.Shard).EndTurnSoon();
                break;
        }
    }

    /// <summary>A connection was lost, or made.</summary>
    public void ConnectionChanged(MemberId peer, bool connected)
    {
        _world.Log.Write($"{Name} {(connected ? "is connected to" : "has lost")} {peer.Node}");
        foreach (SimWorker worker in _workers)
        {
            worker.Host.ConnectionChanged(peer, connected, Clock.Now);
        }

        _gateway.Lost(peer);
    }

    /// <summary>The store answered.</summary>
    public void StoreAnswered(StoreRequest request, StoreAnswer answer) => _control.Answered(request, answer, Clock.Now);

    /// <summary>The store changed.</summary>
    public void StoreChanged(StoreChanges changes) => _control.Changed(changes, Clock.Now);

    /// <summary>Wants its shards moved away.</summary>
    public void Drain() => Post(0, () => _control.Drain(Clock.Now));

    /// <summary>Says that it is gone.</summary>
    public void Leave() => Post(0, () => _control.Leave(Clock.Now));

    /// <summary>After everything that happens here: what the shards report goes to the control part.</summary>
    public void Settle()
    {
        bool changed = false;
        for (int i = 0; i < _workers.Length; i++)
        {
            IReadOnlyList<ShardReport> reports = _workers[i].Host.Reports;
            changed |= !ReferenceEquals(reports, _reports[i]);
            _reports[i] = reports;
        }

        if (changed)
        {
            ShardReport[] all = [.. _reports.SelectMany(reports => reports)];
            Note(() =>
            {
                _world.Log.Write($"{Name} reports {string.Join(", ", all)}");
                _control.SetReports(_world.Mutations.Reports(Id, all, Snapshot), Clock.Now);
            });
        }

        foreach (SimWorker worker in _workers)
        {
            worker.Observe();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SimWorker worker in _workers)
        {
            worker.Dispose();
        }

        _gateway.Dispose();
    }

    void IClusterControlEffects.Request(StoreRequest request) => _world.Store.Ask(this, request);

    void IClusterControlEffects.Watch(string prefix, long afterRevision) => _world.Store.Watch(this, prefix, afterRevision);

    void IClusterControlEffects.Publish(ClusterSnapshot snapshot) => Note(() =>
    {
        _world.Log.Write(
            $"{Name} knows allocation {snapshot.Allocation.Version}, {snapshot.Members.Count} members, coordinator {snapshot.Coordinator.Node}");
        Snapshot = snapshot;
        _told = _world.Mutations.Allocation(Id, snapshot.Allocation, _told);
        foreach (SimWorker worker in _workers)
        {
            worker.Host.Apply(_told, Clock.Now);
        }

        Routes = _world.Mutations.ForGateway(snapshot.Allocation, _told);
        _gateway.Apply(Routes);
    });

    void IClusterControlEffects.SetAuthority(long validUntil) => Note(() =>
    {
        foreach (SimWorker worker in _workers)
        {
            worker.Host.SetAuthority(_world.Mutations.Authority(validUntil), Clock.Now);
        }
    });

    void IClusterControlEffects.Fenced() => _world.Log.Write($"{Name} has fenced itself");

    void IClusterControlEffects.Unfenced(long milliseconds) => _world.Log.Write($"{Name} has authority again, after {milliseconds} ms");

    void IClusterControlEffects.Reject(string problem)
    {
        _world.Log.Write($"{Name} is rejected: {problem}");
        _world.Rejected(this);
    }

    /// <summary>A note from one part of the process to another: in order, a moment later.</summary>
    private void Note(Action happening)
    {
        _lastNote = Math.Max(_lastNote + 1, _world.Scheduler.Now + _random.Delay(100));
        PostAt(_lastNote, happening);
    }

    /// <summary>Time passes: shards see it often, the control part several times a second. What comes while it stands still is one tick.</summary>
    private void Tick()
    {
        _ticks++;
        long now = Clock.Now;
        foreach (SimWorker worker in _workers)
        {
            worker.Host.Advance(now);
        }

        _gateway.Advance(now);
        if (_ticks % 5 == 0)
        {
            _control.Advance(now);
        }

        Post(Clock.TrueDelay(_random.Between(15, 30)), Tick);
    }
}
