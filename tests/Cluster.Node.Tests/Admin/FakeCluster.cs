using Cluster.Messages.Sharding;
using Cluster.Node.Configuration;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;

namespace Cluster.Node.Tests.Admin;

/// <summary>
/// A cluster of three nodes and two shards, seen by the first: shard 0 is its own, with a copy in sync on the second; shard 1 is the second's,
/// with a copy that is being filled on the third, which is leaving.
/// </summary>
internal sealed class FakeCluster : IClusterView
{
    public static readonly MemberId First = new("node-1", 0xa1);
    public static readonly MemberId Second = new("node-2", 0xb2);
    public static readonly MemberId Third = new("node-3", 0xc3);

    public static readonly ShardAssignment OwnShard = new(First, 3, [new ShardCopy(Second, 5, true)]);
    public static readonly ShardAssignment OtherShard = new(Second, 4, [new ShardCopy(Third, 7, false)]);

    public static readonly Member[] Everyone =
    [
        new(First, "10.0.0.1:4320", "a", Gateway: "http://10.0.0.1:4317", Admin: "http://10.0.0.1:8080", ProductVersion: "0.1.0"),
        new(Second, "10.0.0.2:4320", "b", Capacity: 2, Gateway: "http://10.0.0.2:4317", ProductVersion: "0.1.0"),
        new(Third, "10.0.0.3:4320", Leaving: true, ProductVersion: "0.2.0"),
    ];

    public FakeCluster() => Sources = new ClusterSources
    {
        View = this,
        Options = new ClusterOptions
        {
            Name = "checkout",
            Etcd = new EtcdStoreOptions { Endpoints = [new Uri("http://10.0.0.5:2379")] },
            NodeId = "node-1",
            Listen = "10.0.0.1:4320",
            AdvertiseHost = "10.0.0.1",
            Shards = 2,
        },
        Statistics = () => Statistics,
    };

    public ClusterSources Sources { get; set; }

    public ClusterSnapshot Snapshot { get; set; } = new(First, Everyone, new ShardAllocation(17, [OwnShard, OtherShard]), Second);

    public ClusterStatistics Statistics { get; set; } = new()
    {
        LeaseRemaining = TimeSpan.FromSeconds(7.5),
        ConnectedPeers = 2,
        Traffic = new FrameTraffic
        {
            ForwardedFrames = 11,
            ForwardedAgainFrames = 1,
            RepeatedFrames = 2,
            ReplicatedFramesOut = 30,
            ReplicatedFramesIn = 31,
            ReplicatedBytesOut = 3000,
            ReplicatedBytesIn = 3100,
            UnacknowledgedBytes = 64,
            Suspects = 3,
        },
        Promotions = 4,
        Moves = 5,
        LostShards = 6,
        StalePromotions = 17,
        LinkBytesOut = 7000,
        LinkBytesIn = 8000,
        LinkReconnects = 9,
        Budgets = [new BudgetStatus("slow", 12, 340, 5), new BudgetStatus("mixed", 0, 0, 0), new BudgetStatus("mixed", 7, 70, 1)],
    };

    /// <summary>Every question, as <c>node: text</c>.</summary>
    public List<string> Asked { get; } = [];

    /// <summary>What another node answers.</summary>
    public Func<MemberId, string, Task<string?>> Answer { get; set; } = (_, _) => Task.FromResult<string?>(null);

    public TaskCompletionSource Drained { get; set; } = new();

    public int Drains { get; private set; }

    public async Task<string?> AskAsync(MemberId member, string question, CancellationToken cancellationToken)
    {
        Asked.Add($"{member.Node}: {question}");
        return await Answer(member, question);
    }

    public Task DrainAsync(CancellationToken cancellationToken)
    {
        Drains++;
        return Drained.Task;
    }

    /// <summary>An allocation with these shards, the next version.</summary>
    public void Allocate(params ShardAssignment[] shards) =>
        Snapshot = Snapshot with { Allocation = new ShardAllocation(Snapshot.Allocation.Version + 1, shards) };
}
