using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Faults;

namespace Cluster.Simulation;

/// <summary>What is simulated. Times are true microseconds where nothing else is said.</summary>
internal sealed record SimOptions
{
    /// <summary>What all chance comes from.</summary>
    public ulong Seed { get; init; }

    /// <summary>Nodes, 3 to 7.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>Shards of the cluster.</summary>
    public int Shards { get; init; } = 6;

    /// <summary>Copies of each shard beside the primary's.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Copies without which nothing is acknowledged.</summary>
    public int MinInSync { get; init; } = 1;

    /// <summary>How many of the nodes, the last ones, hold no shards.</summary>
    public int GatewayOnly { get; init; }

    /// <summary>By how much later than the others the first node starts.</summary>
    public long FirstNodeStarts { get; init; }

    /// <summary>Worker loops of a node.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Traces that clients send.</summary>
    public int Traces { get; init; } = 80;

    /// <summary>When clients begin.</summary>
    public long LoadBegins { get; init; } = 3 * Scheduler.Second;

    /// <summary>When the last fault is over, and the last trace begins.</summary>
    public long FaultsEnd { get; init; } = 30 * Scheduler.Second;

    /// <summary>By when everything must be quiet.</summary>
    public long End { get; init; } = 100 * Scheduler.Second;

    /// <summary>From a trace's first span to its verdict.</summary>
    public long DecisionWait { get; init; } = 3 * Scheduler.Second;

    /// <summary>Usual time from an export to its confirmation.</summary>
    public long ConfirmDelay { get; init; } = 20 * Scheduler.Millisecond;

    /// <summary>After how long a silent node is taken for dead.</summary>
    public TimeSpan LeaseTimeToLive { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Faults at set times; null for those of the seed.</summary>
    public IReadOnlyList<Fault>? Faults { get; init; }

    /// <summary>Whether the faults may take more than the cluster can stand.</summary>
    public bool MayLose { get; init; }

    /// <summary>What is done wrong on purpose.</summary>
    public Mutation Mutation { get; init; }

    /// <summary>Lines of the event log; 0 for none.</summary>
    public int LogLines { get; init; }

    /// <summary>As a node's control part has it.</summary>
    public ClusterControlOptions Control => new()
    {
        ShardCount = Shards,
        Replicas = Replicas,
        MinInSync = MinInSync,
        LeaseTimeToLive = LeaseTimeToLive,
        LeaseMargin = TimeSpan.FromSeconds(1),
        MovesInFlight = 4,
    };

    /// <summary>As a node's shards have it.</summary>
    public ShardRegionOptions Region => new()
    {
        ShardCount = Shards,
        Workers = Workers,
        DecisionWait = TimeSpan.FromMicroseconds(DecisionWait),
        KeepWholeFrames = true,
        MinInSync = MinInSync,
    };

    /// <summary>Everything about a run that its seed says.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="nodes">Nodes; 0 for as many as the seed says.</param>
    public static SimOptions Of(ulong seed, int nodes = 0)
    {
        SimRandom random = new(seed, 100);
        int drawn = 3 + (random.Chance(60) ? 0 : random.Below(5));
        int count = nodes == 0 ? drawn : nodes;
        int replicas = count > 3 && random.Chance(30) ? 2 : 1;
        return new SimOptions
        {
            Seed = seed,
            Nodes = count,
            Shards = 4 + random.Below(9),
            Replicas = replicas,
            MinInSync = random.Chance(25) ? 2 : 1,
            Workers = random.Chance(25) ? 2 : 1,
            Traces = 40 + random.Below(80),
            ConfirmDelay = random.Chance(30) ? 2 * Scheduler.Second : 20 * Scheduler.Millisecond,
        };
    }

    /// <summary>
    /// A run of three nodes in which, three times, a copy is not heard and its primary fails while what that one reports of it is on its way to the store, late;
    /// so does some other node. When, and how, is the seed's.
    /// </summary>
    public static SimOptions WithLateReports(ulong seed)
    {
        SimRandom random = new(seed, 101);
        List<Fault> faults = [];
        for (int i = 0; i < 3; i++)
        {
            long at = (5 + 14 * i) * Scheduler.Second + Between(0, 1000);
            faults.Add(new Fault(FaultKind.LateReports, at, Between(3000, 7000), Amount: Between(1000, 7000), Target: FaultTarget.Primary));
            FaultKind kind = random.Pick([FaultKind.CutIncoming, FaultKind.CutOutgoing, FaultKind.Pause]);
            faults.Add(new Fault(kind, at, Between(2000, 3500), Target: FaultTarget.Copy));
            kind = random.Pick([FaultKind.Crash, FaultKind.PowerLoss, FaultKind.Pause, FaultKind.Isolate, FaultKind.CutStore]);
            faults.Add(new Fault(kind, at + Between(3500, 8500), Between(500, 8000), Target: FaultTarget.Primary));
            kind = random.Pick([FaultKind.Crash, FaultKind.Pause, FaultKind.Isolate, FaultKind.StopStore]);
            faults.Add(new Fault(kind, at + Between(3500, 11_500), Between(500, 4000), Node: random.Below(3)));
        }

        return Of(seed, nodes: 3) with { Traces = 300, Faults = faults, FaultsEnd = 50 * Scheduler.Second, End = 130 * Scheduler.Second };

        long Between(long least, long most) => random.Between(least, most) * Scheduler.Millisecond;
    }

    /// <summary>The record of a member.</summary>
    public Member MemberOf(MemberId id, int index) => new(id, $"{id.Node}:4500", HoldsShards: index < Nodes - GatewayOnly);
}
