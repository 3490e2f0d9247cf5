using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;

namespace Cluster.Node.Telemetry;

/// <summary>The metrics of a node that is one of several; a node alone does not show them.</summary>
internal static class ClusterMetrics
{
    internal static readonly MetricDefinition Members = new(
        "actorsampling_cluster_members", MetricType.Gauge, "{nodes}", "Nodes that are alive, as far as this one knows.");

    internal static readonly MetricDefinition ConnectedPeers = new(
        "actorsampling_cluster_connected_peers", MetricType.Gauge, "{nodes}", "Other nodes that there is a connection to.");

    internal static readonly MetricDefinition IsCoordinator = new(
        "actorsampling_cluster_is_coordinator", MetricType.Gauge, "", "1 on the node that allocates shards, else 0.");

    internal static readonly MetricDefinition AllocationVersion = new(
        "actorsampling_cluster_allocation_version", MetricType.Gauge, "", "Version of the allocation that this node follows.");

    internal static readonly MetricDefinition LeaseRemaining = new(
        "actorsampling_cluster_lease_remaining_seconds", MetricType.Gauge, "s", "How long this node may still take its lease for alive.");

    internal static readonly MetricDefinition Fenced = new(
        "actorsampling_cluster_fenced", MetricType.Gauge, "",
        "1 while this node acknowledges and decides nothing because its lease may have ended, else 0.");

    internal static readonly MetricDefinition UnownedShards = new(
        "actorsampling_cluster_unowned_shards", MetricType.Gauge, "{shards}", "Shards of the cluster whose primary is not alive.");

    internal static readonly MetricDefinition UncopiedShards = new(
        "actorsampling_cluster_uncopied_shards", MetricType.Gauge, "{shards}",
        "Shards of the cluster without a live copy in sync; 0 when there shall be no replicas.");

    internal static readonly MetricDefinition MovingShards = new(
        "actorsampling_cluster_moving_shards", MetricType.Gauge, "{shards}",
        "Shards of the cluster of which a copy is being filled, or whose primary is leaving.");

    internal static readonly MetricDefinition Primaries = new(
        "actorsampling_shard_primaries", MetricType.Gauge, "{shards}", "Shards that this node owns.");

    internal static readonly MetricDefinition Copies = new(
        "actorsampling_shard_copies", MetricType.Gauge, "{shards}", "Copies on this node beside the primaries of others.");

    internal static readonly MetricDefinition InSyncCopies = new(
        "actorsampling_shard_in_sync_copies", MetricType.Gauge, "{shards}", "Of these, in sync.");

    internal static readonly MetricDefinition Promotions = new(
        "actorsampling_shard_promotions_total", MetricType.Counter, "{shards}", "Copies here that took over for a lost primary.");

    internal static readonly MetricDefinition Moves = new(
        "actorsampling_shard_moves_total", MetricType.Counter, "{shards}", "Primaries that moved here or away by plan.");

    internal static readonly MetricDefinition Lost = new(
        "actorsampling_shard_lost_total", MetricType.Counter, "{shards}", "Shards taken over empty, because every copy was lost.");

    internal static readonly MetricDefinition StalePromotions = new(
        "actorsampling_shard_stale_promotions_total", MetricType.Counter, "{shards}",
        "Shards taken over with a stale copy, because every other was lost.");

    internal static readonly MetricDefinition Suspects = new(
        "actorsampling_shard_suspects_total", MetricType.Counter, "{shards}", "Copies that primaries here reported as not keeping up.");

    internal static readonly MetricDefinition ReplicatedFrames = new(
        "actorsampling_shard_replicated_frames_total", MetricType.Counter, "{frames}", "Frames sent to copies, or taken by copies.", "direction");

    internal static readonly MetricDefinition ReplicatedBytes = new(
        "actorsampling_shard_replicated_bytes_total", MetricType.Counter, "By", "Bytes sent to copies, or taken by copies.", "direction");

    internal static readonly MetricDefinition UnacknowledgedBytes = new(
        "actorsampling_shard_unacknowledged_bytes", MetricType.Gauge, "By", "Bytes sent to copies that have not confirmed them yet.");

    internal static readonly MetricDefinition RepeatedFrames = new(
        "actorsampling_shard_repeated_frames_total", MetricType.Counter, "{frames}", "Frames recognised as delivered before and taken once.");

    internal static readonly MetricDefinition ForwardedFrames = new(
        "actorsampling_cluster_forwarded_frames_total", MetricType.Counter, "{frames}", "Frames sent to the owners of their shards on other nodes.");

    internal static readonly MetricDefinition ForwardedAgainFrames = new(
        "actorsampling_cluster_forwarded_again_frames_total", MetricType.Counter, "{frames}",
        "Of these, sent once more: the owner had changed, or the connection was lost.");

    internal static readonly MetricDefinition LinkBytes = new(
        "actorsampling_cluster_link_bytes_total", MetricType.Counter, "By", "Bytes sent to other nodes, and received from them.", "direction");

    internal static readonly MetricDefinition LinkReconnects = new(
        "actorsampling_cluster_link_reconnects_total", MetricType.Counter, "{connections}",
        "Connections to other nodes made anew after one was lost.");

    internal static readonly MetricDefinition BudgetLeased = new(
        "actorsampling_budget_leased_units", MetricType.Gauge, "{units}", "Spans or bytes of a limit of the cluster that decisions here can take now.",
        "policy");

    internal static readonly MetricDefinition BudgetTaken = new(
        "actorsampling_budget_taken_units_total", MetricType.Counter, "{units}", "Spans or bytes of a limit of the cluster that decisions here took.",
        "policy");

    internal static readonly MetricDefinition BudgetShortages = new(
        "actorsampling_budget_shortages_total", MetricType.Counter, "{shortages}",
        "Times that a decision found too little of a limit here while the cluster was thought to have enough.", "policy");

    /// <summary>All of them, in the order they are shown.</summary>
    public static IReadOnlyList<MetricDefinition> All { get; } =
    [
        Members, ConnectedPeers, IsCoordinator, AllocationVersion, LeaseRemaining, Fenced, UnownedShards, UncopiedShards, MovingShards,
        Primaries, Copies, InSyncCopies, Promotions, Moves, Lost, StalePromotions, Suspects, ReplicatedFrames, ReplicatedBytes, UnacknowledgedBytes,
        RepeatedFrames, ForwardedFrames, ForwardedAgainFrames, LinkBytes, LinkReconnects, BudgetLeased, BudgetTaken, BudgetShortages,
    ];

    /// <summary>Writes them as they are now.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="cluster">Where they are read.</param>
    /// <param name="policyPrefix">Stands before the names of policies.</param>
    public static void Write(PrometheusWriter writer, ClusterSources cluster, string policyPrefix)
    {
        ClusterSnapshot snapshot = cluster.View.Snapshot;
        ClusterStanding standing = new(snapshot);
        ClusterStatistics statistics = cluster.Statistics();
        FrameTraffic traffic = statistics.Traffic;
        Holding own = standing.Of(snapshot.Self);
        writer.Single(Members, snapshot.Members.Count);
        writer.Single(ConnectedPeers, statistics.ConnectedPeers);
        writer.Single(IsCoordinator, snapshot.Coordinator == snapshot.Self ? 1 : 0);
        writer.Single(AllocationVersion, snapshot.Allocation.Version);
        writer.Single(LeaseRemaining, statistics.LeaseRemaining.TotalSeconds);
        writer.Single(Fenced, statistics.IsFenced ? 1 : 0);
        writer.Single(UnownedShards, standing.Unowned);
        writer.Single(UncopiedShards, cluster.Options.Replicas == 0 ? 0 : standing.WithoutInSyncCopy);
        writer.Single(MovingShards, standing.Moving);
        writer.Single(Primaries, own.Primaries);
        writer.Single(Copies, own.Copies);
        writer.Single(InSyncCopies, own.InSync);
        writer.Single(Promotions, statistics.Promotions);
        writer.Single(Moves, statistics.Moves);
        writer.Single(Lost, statistics.LostShards);
        writer.Single(StalePromotions, statistics.StalePromotions);
        writer.Single(Suspects, traffic.Suspects);
        Directions(writer, ReplicatedFrames, traffic.ReplicatedFramesOut, traffic.ReplicatedFramesIn);
        Directions(writer, ReplicatedBytes, traffic.ReplicatedBytesOut, traffic.ReplicatedBytesIn);
        writer.Single(UnacknowledgedBytes, traffic.UnacknowledgedBytes);
        writer.Single(RepeatedFrames, traffic.RepeatedFrames);
        writer.Single(ForwardedFrames, traffic.ForwardedFrames);
        writer.Single(ForwardedAgainFrames, traffic.ForwardedAgainFrames);
        Directions(writer, LinkBytes, statistics.LinkBytesOut, statistics.LinkBytesIn);
        writer.Single(LinkReconnects, statistics.LinkReconnects);
        string[] policies = Distinct(statistics.Budgets, policyPrefix);
        Budgets(writer, BudgetLeased, policies, statistics.Budgets, budget => budget.Leased);
        Budgets(writer, BudgetTaken, policies, statistics.Budgets, budget => budget.Taken);
        Budgets(writer, BudgetShortages, policies, statistics.Budgets, budget => budget.Shortages);
    }

    private static void Budgets(
        PrometheusWriter writer, MetricDefinition metric, string[] policies, IReadOnlyList<BudgetStatus> budgets, Func<BudgetStatus, long> value)
    {
        writer.Begin(metric);
        for (int i = 0; i < budgets.Count; i++)
        {
            writer.Sample(value(budgets[i]), policies[i]);
        }
    }

    /// <summary>
    /// A label for each budget: Prometheus reads nothing of a page with the same one twice, and a composite's share is called as the limit of the
    /// sub-policy that it is for.
    /// </summary>
    private static string[] Distinct(IReadOnlyList<BudgetStatus> budgets, string prefix)
    {
        HashSet<string> seen = [];
        string[] labels = new string[budgets.Count];
        for (int i = 0; i < labels.Length; i++)
        {
            labels[i] = prefix + budgets[i].Policy;
            for (int ordinal = 2; !seen.Add(labels[i]); ordinal++)
            {
                labels[i] = $"{prefix}{budgets[i].Policy}#{ordinal}";
            }
        }

        return labels;
    }

    private static void Directions(PrometheusWriter writer, MetricDefinition metric, long sent, long received)
    {
        writer.Begin(metric);
        writer.Sample(sent, "out");
        writer.Sample(received, "in");
    }
}
