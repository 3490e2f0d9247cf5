using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Network;

/// <summary>
/// The network between nodes: a connection for each pair of running processes, made by whoever runs and made again when it was lost. On a
/// connection messages
/// keep their order and are late; where a direction is cut they wait, and are lost with the connection once that is noticed. In times of disorder
/// any of
/// them may also be lost, come twice or overtake others, which is worse than TCP ever does.
/// </summary>
internal sealed class SimNetwork
{
    private readonly Scheduler _scheduler;
    private readonly SimRandom _random;
    private readonly EventLog _log;
    private readonly IReadOnlyList<SimNode> _nodes;
    private readonly Direction[,] _directions;

    /// <summary>A network in order between all nodes, without a connection.</summary>
    public SimNetwork(Scheduler scheduler, SimRandom random, EventLog log, IReadOnlyList<SimNode> nodes)
    {
        (_scheduler, _random, _log, _nodes) = (scheduler, random, log, nodes);
        _directions = new Direction[nodes.Count, nodes.Count];
        for (int i = 0; i < nodes.Count; i++)
        {
            for (int j = 0; j < nodes.Count; j++)
            {
                _directions[i, j] = new Direction();
            }
        }
    }

    /// <summary>Usual time of a message, microseconds.</summary>
    public long UsualDelay { get; set; } = 400;

    /// <summary>How many of a hundred messages are lost, come twice, or overtake, each.</summary>
    public double Disorder { get; set; }

    /// <summary>Messages sent.</summary>
    public long Sent { get; private set; }

    /// <summary>When a message was last sent.</summary>
    public long LastSent { get; private set; }

    /// <summary>Kind of the message sent last.</summary>
    public PeerMessageKind LastKind { get; private set; }

    /// <summary>Cuts a direction, or heals one cut of it: cuts are counted.</summary>
    public void Cut(int from, int to, bool cut)
    {
        Direction direction = _directions[from, to];
        direction.Cuts += cut ? 1 : -1;
        if (cut && direction.Cuts == 1)
        {
            // The ends notice by themselves, if it lasts.
            int version = ++direction.Version;
            _scheduler.After(_random.Between(500, 4000) * Scheduler.Millisecond, () =>
            {
                if (direction.Version == version && direction.Cuts > 0)
                {
                    Break(from, to, "cut");
                }
            });
        }
        else if (direction.Cuts == 0)
        {
            direction.Version++;
            foreach (Action waiting in direction.Waiting)
            {
                waiting();
            }

            direction.Waiting.Clear();
        }
    }

    /// <summary>Makes a direction slower by so many microseconds, or faster again.</summary>
    public void Slow(int from, int to, long by) => _directions[from, to].Extra += by;

    /// <summary>A process has begun to run: connections to all others are tried.</summary>
    public void Started(SimProcess process)
    {
        foreach (SimNode other in _nodes)
        {
            if (other.Index != process.Node.Index)
            {
                Dial(process.Node.Index, other.Index);
            }
        }
    }

    /// <summary>A process has ended: the other ends learn of it soon, or late when its machine went with it.</summary>
    public void Ended(SimProcess process, bool quietly)
    {
        foreach (SimNode other in _nodes)
        {
            if (other.Index == process.Node.Index)
            {
                continue;
            }

            Direction from = _directions[process.Node.Index, other.Index];
            Direction to = _directions[other.Index, process.Node.Index];
            SimProcess? peer = from.Connected ? from.PeerProcess : null;
            Drop(from);
            Drop(to);
            if (peer is not null)
            {
                long notice = quietly ? _random.Between(500, 4000) * Scheduler.Millisecond : _random.Delay(2000);
                peer.Post(notice, () => peer.ConnectionChanged(process.Id, connected: false));
            }
        }
    }

    /// <summary>Breaks all connections of a node that does not answer.</summary>
    public void BreakAll(int node, string why)
    {
        foreach (SimNode other in _nodes)
        {
            if (other.Index != node)
            {
                Break(node, other.Index, why);
            }
        }
    }

    /// <summary>Sends a message, or loses it.</summary>
    /// <returns>Whether there is a connection, which is all that the sender knows.</returns>
    public bool Send(SimProcess from, MemberId to, PeerMessageHeader header, byte[] payload)
    {
        Sent++;
        LastSent = _scheduler.Now;
        LastKind = header.Kind;
        SimNode? node = _nodes.FirstOrDefault(n => n.Name == to.Node);
        Direction? direction = node is null ? null : _directions[from.Node.Index, node.Index];
        if (direction is null || !direction.Connected || direction.Process != from || direction.PeerProcess!.Id != to)
        {
            _log.Write($"{from.Name} -/-> {to.Node} {header.Kind} {header.Shard}#{header.Id}: no connection");
            return false;
        }

        PeerLetter letter = new(header, payload);
        if (Disorder > 0 && _random.Chance(Disorder))
        {
            _log.Write($"{from.Name} -/-> {to.Node} {header.Kind} {header.Shard}#{header.Id}: lost");
            return true;
        }

        Carry(direction, letter);
        if (Disorder > 0 && _random.Chance(Disorder))
        {
            Carry(direction, letter);
        }

        return true;
    }

    private void Carry(Direction direction, PeerLetter letter)
    {
        if (direction.Cuts > 0)
        {
            int connection = direction.Connection;
            direction.Waiting.Add(() =>
            {
                if (direction.Connection == connection)
                {
                    Carry(direction, letter);
                }
            });
            return;
        }

        long arrival = _scheduler.Now + _random.Delay(UsualDelay) + direction.Extra;
        if (Disorder == 0 || !_random.Chance(Disorder))
        {
            arrival = direction.LastArrival = Math.Max(arrival, direction.LastArrival + 1);
        }

        SimProcess from = direction.Process!;
        SimProcess to = direction.PeerProcess!;
        int current = direction.Connection;
        to.PostAt(arrival, () =>
        {
            // What has not been read from a connection is gone with it.
            if (direction.Connection != current)
            {
                return;
            }

            _log.Write($"{from.Name} ---> {to.Name} {letter.Header.Kind} {letter.Header.Shard}#{letter.Header.Id}");
            to.Receive(from.Id, letter);
        });
    }

    private void Break(int a, int b, string why)
    {
        Direction there = _directions[a, b];
        Direction back = _directions[b, a];
        if (!there.Connected)
        {
            return;
        }

        _log.Write($"connection {_nodes[a].Name}-{_nodes[b].Name} breaks: {why}");
        SimProcess one = there.Process!;
        SimProcess other = there.PeerProcess!;
        Drop(there);
        Drop(back);
        one.Post(_random.Between(0, 20_000), () => one.ConnectionChanged(other.Id, connected: false));
        other.Post(_random.Between(0, 20_000), () => other.ConnectionChanged(one.Id, connected: false));
        Redial(a, b);
    }

    private static void Drop(Direction direction)
    {
        direction.Connected = false;
        direction.Connection++;
        direction.Process = null;
        direction.PeerProcess = null;
        direction.Waiting.Clear();
    }

    private void Redial(int a, int b) => _scheduler.After(_random.Between(100, 600) * Scheduler.Millisecond, () => Dial(a, b));

    private void Dial(int a, int b)
    {
        Direction there = _directions[a, b];
        Direction back = _directions[b, a];
        SimProcess? one = _nodes[a].Process;
        SimProcess? other = _nodes[b].Process;
        if (there.Connected || one is null || other is null)
        {
            // Whoever starts dials.
            return;
        }

        if (there.Cuts + back.Cuts > 0 || _nodes[a].IsPaused || _nodes[b].IsPaused)
        {
            if (!there.Dialing)
            {
                there.Dialing = true;
                _scheduler.After(_random.Between(100, 600) * Scheduler.Millisecond, () =>
                {
                    there.Dialing = false;
                    Dial(a, b);
                });
            }

            return;
        }

        foreach ((Direction direction, SimProcess process, SimProcess peer) in new[] { (there, one, other), (back, other, one) })
        {
            direction.Connected = true;
            direction.Connection++;
            direction.Process = process;
            direction.PeerProcess = peer;
            direction.LastArrival = _scheduler.Now;
            int connection = direction.Connection;
            process.Post(_random.Delay(1000), () =>
            {
                if (direction.Connection == connection)
                {
                    process.ConnectionChanged(peer.Id, connected: true);
                }
            });
        }
    }

    private sealed class Direction
    {
        public int Cuts { get; set; }

        public int Version { get; set; }

        public long Extra { get; set; }

        public bool Connected { get; set; }

        public bool Dialing { get; set; }

        public int Connection { get; set; }

        public long LastArrival { get; set; }

        public SimProcess? Process { get; set; }

        public SimProcess? PeerProcess { get; set; }

        public List<Action> Waiting { get; } = [];
    }
}
