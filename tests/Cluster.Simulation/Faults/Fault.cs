namespace Cluster.Simulation.Faults;

/// <summary>What can go wrong.</summary>
public enum FaultKind
{
    /// <summary>A process ends without a word, and is started again afterwards.</summary>
    Crash,

    /// <summary>The same, with its machine: no connection says so.</summary>
    PowerLoss,

    /// <summary>A process stands still.</summary>
    Pause,

    /// <summary>A node neither hears nor is heard, by peers and store.</summary>
    Isolate,

    /// <summary>A node is not reached by its peers, but reaches them.</summary>
    CutIncoming,

    /// <summary>A node does not reach its peers, but is reached by them.</summary>
    CutOutgoing,

    /// <summary>Two nodes do not reach each other.</summary>
    CutPair,

    /// <summary>One node does not reach another, which reaches it.</summary>
    CutOneWay,

    /// <summary>A node does not reach the store.</summary>
    CutStore,

    /// <summary>Nobody reaches the store; leases last on.</summary>
    StopStore,

    /// <summary>Nobody reaches the store; leases end meanwhile.</summary>
    LoseLeases,

    /// <summary>Requests to the store fail, before or after they took effect.</summary>
    FlakyStore,

    /// <summary>Requests to the store take long.</summary>
    SlowStore,

    /// <summary>Everything to and from a node takes long.</summary>
    SlowNode,

    /// <summary>Messages are lost, come twice or overtake.</summary>
    Disorder,

    /// <summary>A node's clock goes forward at once.</summary>
    ClockJump,

    /// <summary>The back end takes nothing.</summary>
    StopSink,

    /// <summary>A node gives its shards away, leaves, and is started again.</summary>
    Drain,

    /// <summary>What a node reports of copies reaches the store late. Not in the seeds' faults: at set times only.</summary>
    LateReports,
}

/// <summary>Whom a fault is for; who that is, is found out when it begins.</summary>
internal enum FaultTarget
{
    /// <summary>The node with the fault's number.</summary>
    Node,

    /// <summary>Who allocates.</summary>
    Coordinator,

    /// <summary>The primary of shard 0.</summary>
    Primary,

    /// <summary>A copy of shard 0 in sync.</summary>
    Copy,

    /// <summary>A node that is filled with a copy; waited for.</summary>
    Learner,
}

/// <summary>Something that goes wrong for a while.</summary>
/// <param name="Kind">What.</param>
/// <param name="At">From when, true microseconds.</param>
/// <param name="For">For how long.</param>
/// <param name="Node">With which node.</param>
/// <param name="Peer">And which other one.</param>
/// <param name="Amount">How much: percent, or microseconds.</param>
/// <param name="Target">Whom it is for, when that is not known beforehand.</param>
internal sealed record Fault(
    FaultKind Kind, long At, long For, int Node = 0, int Peer = 0, long Amount = 0, FaultTarget Target = FaultTarget.Node)
{
    /// <summary>Whether it may cost its node the lease.</summary>
    public bool MayEndTheLease => Kind is FaultKind.Crash or FaultKind.PowerLoss or FaultKind.Pause or FaultKind.Isolate or FaultKind.CutStore;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Kind} of n{Node + 1}{(Kind is FaultKind.CutPair or FaultKind.CutOneWay ? $" and n{Peer + 1}" : "")}"
        + $" at {At / 1e6:F3} s for {For / 1e6:F3} s ({Amount})";
}
