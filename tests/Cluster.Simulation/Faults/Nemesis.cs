using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Faults;

/// <summary>
/// Lets things go wrong, and ends it again. It never does what no cluster survives: a fault that may take a node's memory or lease only begins while
/// each shard that the node holds is held by others that are all well, by what stands in the store and by what the nodes really are: no second
/// holder goes before redundancy is back.
/// </summary>
internal sealed class Nemesis
{
    /// <summary>After a fault is over, a node's lease is fresh again by then.</summary>
    private const long Recovery = 2 * Scheduler.Second;

    /// <summary>A pause or cut that is shorter costs no lease.</summary>
    private const long Harmless = 500 * Scheduler.Millisecond;

    private readonly SimWorld _world;
    private readonly SimRandom _random;
    private int _everyone;

    /// <summary>A nemesis that draws from the seed.</summary>
    public Nemesis(SimWorld world)
    {
        _world = world;
        _random = new SimRandom(world.Options.Seed, 3);
    }

    /// <summary>Faults that are under way.</summary>
    public int UnderWay { get; private set; }

    /// <summary>Faults that began.</summary>
    public List<Fault> Begun { get; } = [];

    /// <summary>Begins.</summary>
    public void Start()
    {
        if (_world.Options.Faults is { } faults)
        {
            foreach (Fault fault in faults)
            {
                _world.Scheduler.At(fault.At, () => Await(fault));
            }

            return;
        }

        Next();
    }

    /// <summary>Whether a node may lose its memory or its lease without anything being lost.</summary>
    public bool MayDisable(SimNode node)
    {
        if (node.Process is not { } process || node.Disabled > 0 || _everyone > 0 || _world.Truth.Allocation is not { } allocation)
        {
            return false;
        }

        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            ShardAssignment assignment = allocation[shard];
            bool holds = assignment.Primary == process.Id || assignment.CopyOn(process.Id) is { InSync: true }
                || (assignment.CopyOn(process.Id) is { IsStale: true } && !IsWell(assignment.Primary, shard, assignment));
            MemberId[] others = [.. Holders(assignment).Where(holder => holder != process.Id)];
            if (holds && (others.Length == 0 || !others.All(holder => IsWell(holder, shard, assignment))))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Begins a fault as soon as there is somebody whom it is for.</summary>
    private void Await(Fault fault)
    {
        if (Find(fault) is { } node)
        {
            Try(fault with { At = _world.Scheduler.Now, Node = node });
        }
        else if (_world.Scheduler.Now < _world.Options.FaultsEnd)
        {
            _world.Scheduler.After(Scheduler.Millisecond, () => Await(fault));
        }
    }

    private int? Find(Fault fault)
    {
        if (fault.Target == FaultTarget.Node)
        {
            return fault.Node;
        }

        if (_world.Truth.Allocation is not { } allocation)
        {
            return null;
        }

        MemberId member = fault.Target switch
        {
            FaultTarget.Coordinator => _world.Truth.Coordinator,
            FaultTarget.Primary => allocation[0].Primary,
            FaultTarget.Copy => allocation[0].Replicas.FirstOrDefault(copy => copy.InSync)?.Member ?? default,
            _ => Enumerable.Range(0, allocation.ShardCount).SelectMany(shard => allocation[shard].Replicas)
                .FirstOrDefault(copy => copy.IsLearner)?.Member ?? default,
        };
        return _world.Truth.ProcessOf(member)?.Node.Index;
    }

    /// <summary>Who has everything. A primary that is well has more than a stale copy; one that is not may leave it as the last that has anything.</summary>
    private static IEnumerable<MemberId> Holders(ShardAssignment shard) =>
        shard.Replicas.Where(copy => copy.InSync).Select(copy => copy.Member).Prepend(shard.Primary);

    private bool IsWell(MemberId holder, int shard, ShardAssignment assignment) =>
        _world.Truth.ProcessOf(holder) is { Node: { IsPaused: false, IsDraining: false, Disabled: 0 } } process
        && _world.Store.HoldsLease(process)
        && !_world.Truth.IsSuspect(shard, holder)
        && !(_world.Truth.ProcessOf(assignment.Primary)?.WorkerOf(shard).Host.Reports.Any(
            report => report.Shard == shard && report.Member == holder && report.State == CopyState.Suspect) ?? false);

    private void Next() => _world.Scheduler.After(_random.Between(300, 5000) * Scheduler.Millisecond, () =>
    {
        if (_world.Scheduler.Now >= _world.Options.FaultsEnd)
        {
            return;
        }

        if (_world.Scheduler.Now > _world.Options.LoadBegins)
        {
            Try(Draw());
        }

        Next();
    });

    private Fault Draw()
    {
        FaultKind[] kinds = [.. Enum.GetValues<FaultKind>().Where(kind => kind != FaultKind.LateReports)];
        FaultKind kind = _random.Chance(35) ? _random.Pick([FaultKind.Crash, FaultKind.Pause, FaultKind.Isolate]) : _random.Pick(kinds);
        int nodes = _world.Nodes.Count;
        int node = _random.Below(nodes);
        long length = _random.Chance(40) ? _random.Between(50, 1500) : _random.Between(1000, 9000);
        long amount = kind switch
        {
            FaultKind.FlakyStore => _random.Between(5, 40),
            FaultKind.Disorder => _random.Between(1, 15),
            FaultKind.SlowNode => _random.Between(20, 3000) * Scheduler.Millisecond,
            FaultKind.SlowStore => _random.Between(5, 400) * Scheduler.Millisecond,
            FaultKind.ClockJump => _random.Between(1, 700),
            _ => 0,
        };
        long now = _world.Scheduler.Now;
        long end = Math.Min(now + length * Scheduler.Millisecond, _world.Options.FaultsEnd);
        return new Fault(kind, now, end - now, node, (node + 1 + _random.Below(nodes - 1)) % nodes, amount);
    }

    private void Try(Fault fault)
    {
        SimNode node = _world.Nodes[fault.Node];
        bool everyone = fault.Kind is FaultKind.LoseLeases or FaultKind.FlakyStore or FaultKind.SlowStore;
        bool disables = fault.MayEndTheLease && (fault.For >= Harmless || fault.Kind is FaultKind.Crash or FaultKind.PowerLoss);
        if (fault.Kind == FaultKind.Drain ? node.Process is null || node.Disabled > 0 || _everyone > 0 || _world.Nodes.Any(n => n.IsDraining)
            : disables ? !MayDisable(node)
            : everyone ? _everyone > 0 || _world.Nodes.Any(n => n.Disabled > 0)
            : fault.Kind == FaultKind.StopStore && !_world.Store.IsUp)
        {
            return;
        }

        if (node.Process is null && fault.Kind is FaultKind.Pause or FaultKind.ClockJump)
        {
            return;
        }

        _world.Log.Write($"FAULT {fault}");
        Begun.Add(fault);
        UnderWay++;
        if (disables)
        {
            node.Disabled++;
        }

        _everyone += everyone ? 1 : 0;
        Action end = Begin(fault, node);
        _world.Scheduler.After(fault.For, () =>
        {
            _world.Log.Write($"FAULT ends: {fault}");
            end();
            UnderWay--;
            _world.Scheduler.After(fault.Kind == FaultKind.LoseLeases ? 3 * Recovery : Recovery, () =>
            {
                node.Disabled -= disables ? 1 : 0;
                _everyone -= everyone ? 1 : 0;
            });
        });
    }

    /// <summary>Begins a fault; what comes back ends it.</summary>
    private Action Begin(Fault fault, SimNode node)
    {
        switch (fault.Kind)
        {
            case FaultKind.Crash:
            case FaultKind.PowerLoss:
                _world.Kill(node, quietly: fault.Kind == FaultKind.PowerLoss);
                return () => _world.Launch(node);
            case FaultKind.Pause:
                SimProcess paused = node.Process!;
                node.Pause();
                if (fault.For > Scheduler.Second && _random.Chance(70))
                {
                    // Peers hear nothing of it, and give its connections up.
                    _world.Scheduler.After(_random.Between(500, 4000) * Scheduler.Millisecond, () =>
                    {
                        if (node.Process == paused && node.IsPaused)
                        {
                            _world.Network.BreakAll(node.Index, "silence");
                        }
                    });
                }

                return () =>
                {
                    if (node.Process == paused)
                    {
                        node.Resume();
                    }
                };
            case FaultKind.Isolate:
                Cut(node, true, true, true);
                _world.Store.Cut(node, true);
                return () =>
                {
                    Cut(node, true, true, false);
                    _world.Store.Cut(node, false);
                };
            case FaultKind.CutIncoming:
                Cut(node, true, false, true);
                return () => Cut(node, true, false, false);
            case FaultKind.CutOutgoing:
                Cut(node, false, true, true);
                return () => Cut(node, false, true, false);
            case FaultKind.CutPair:
                _world.Network.Cut(fault.Node, fault.Peer, true);
                _world.Network.Cut(fault.Peer, fault.Node, true);
                return () =>
                {
                    _world.Network.Cut(fault.Node, fault.Peer, false);
                    _world.Network.Cut(fault.Peer, fault.Node, false);
                };
            case FaultKind.CutOneWay:
                _world.Network.Cut(fault.Node, fault.Peer, true);
                return () => _world.Network.Cut(fault.Node, fault.Peer, false);
            case FaultKind.CutStore:
                _world.Store.Cut(node, true);
                return () => _world.Store.Cut(node, false);
            case FaultKind.StopStore:
            case FaultKind.LoseLeases:
                _world.Store.Stop();
                return () => _world.Store.Resume(forgiving: fault.Kind == FaultKind.StopStore);
            case FaultKind.FlakyStore:
                _world.Store.Flakiness = fault.Amount;
                return () => _world.Store.Flakiness = 0;
            case FaultKind.SlowStore:
                _world.Store.ExtraDelay = fault.Amount;
                return () => _world.Store.ExtraDelay = 0;
            case FaultKind.SlowNode:
                Slow(node, fault.Amount);
                return () => Slow(node, -fault.Amount);
            case FaultKind.Disorder:
                _world.Network.Disorder += fault.Amount;
                return () => _world.Network.Disorder -= fault.Amount;
            case FaultKind.ClockJump:
                node.Process?.Clock.Jump(fault.Amount);
                return static () => { };
            case FaultKind.LateReports:
                _world.Store.DelayReports(node, fault.Amount);
                return () => _world.Store.DelayReports(node, 0);
            case FaultKind.StopSink:
                _world.Sink.Stops++;
                return () => _world.Sink.Stops--;
            default:
                node.IsDraining = true;
                SimProcess draining = node.Process!;
                draining.Drain();
                return () => FinishDrain(node, draining);
        }
    }

    private void Cut(SimNode node, bool incoming, bool outgoing, bool cut)
    {
        foreach (SimNode other in _world.Nodes)
        {
            if (other != node && incoming)
            {
                _world.Network.Cut(other.Index, node.Index, cut);
            }

            if (other != node && outgoing)
            {
                _world.Network.Cut(node.Index, other.Index, cut);
            }
        }
    }

    private void Slow(SimNode node, long by)
    {
        foreach (SimNode other in _world.Nodes)
        {
            if (other != node)
            {
                _world.Network.Slow(other.Index, node.Index, by);
                _world.Network.Slow(node.Index, other.Index, by);
            }
        }
    }

    /// <summary>Ends a drained process once it holds nothing and owes nothing, as a node does, and starts the next one.</summary>
    private void FinishDrain(SimNode node, SimProcess draining)
    {
        if (node.Process != draining)
        {
            node.IsDraining = false;
            return;
        }

        if (!node.IsPaused && HoldsNothing(draining.Id) && draining.IsIdle)
        {
            draining.Leave();
            _world.Scheduler.After(_random.Between(5, 300) * Scheduler.Millisecond, () =>
            {
                node.IsDraining = false;
                if (node.Process == draining)
                {
                    _world.Kill(node, quietly: false);
                    _world.Scheduler.After(_random.Between(100, 3000) * Scheduler.Millisecond, () => _world.Launch(node));
                }
            });
            return;
        }

        _world.Scheduler.After(100 * Scheduler.Millisecond, () => FinishDrain(node, draining));
    }

    private bool HoldsNothing(MemberId member)
    {
        ShardAllocation allocation = _world.Truth.Allocation!;
        return Enumerable.Range(0, allocation.ShardCount).All(
            shard => allocation[shard].Primary != member && allocation[shard].CopyOn(member) is null);
    }
}
