using System.Globalization;
using Cluster.Node.Configuration;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Membership;

namespace Cluster.Node.Admin;

/// <summary>The cluster as this node knows it; no other node is asked.</summary>
internal sealed class ClusterPages(AdminSources sources)
{
    /// <summary>Who is there, and who holds how much.</summary>
    public AdminReply Cluster() =>
        AdminReply.Json(sources.Cluster is null ? Single() : Describe(sources.Cluster), AdminJson.Default.ClusterJson);

    private ClusterJson Single() => new("single", null, sources.Node.Id, null, null, null, null, null, null, []);

    private static ClusterJson Describe(ClusterSources cluster)
    {
        ClusterSnapshot snapshot = cluster.View.Snapshot;
        ClusterStanding standing = new(snapshot);
        ClusterStatistics statistics = cluster.Statistics();
        ClusterOptions options = cluster.Options;
        return new ClusterJson(
            "cluster",
            options.Name,
            snapshot.Self.Node,
            snapshot.Coordinator.Node,
            snapshot.Allocation.Version,
            Text.Seconds(statistics.LeaseRemaining),
            statistics.IsFenced,
            new ClusterSettingsJson(
                options.Shards, options.Replicas, options.MinInSync, Text.Seconds(options.LeaseTimeToLive), Text.Seconds(options.ReplicaTimeout)),
            new ClusterShardsJson(
                snapshot.Allocation.ShardCount,
                standing.Unowned,
                options.Replicas == 0 ? 0 : standing.WithoutInSyncCopy,
                standing.Moving),
            [.. snapshot.Members.Select(member => Describe(member, standing.Of(member.Id)))]);
    }

    private static MemberJson Describe(Member member, Holding holding)
    {
        List<string> roles = [];
        if (member.Gateway.Length > 0)
        {
            roles.Add("gateway");
        }

        if (member.HoldsShards)
        {
            roles.Add("shards");
        }

        return new MemberJson(
            member.Id.Node,
            member.Id.Incarnation.ToString("x16", CultureInfo.InvariantCulture),
            member.Address,
            member.Zone,
            roles,
            member.Capacity,
            member.Leaving,
            member.ProductVersion,
            member.Gateway.Length > 0 ? member.Gateway : null,
            member.Admin.Length > 0 ? member.Admin : null,
            holding.Primaries,
            holding.Copies,
            holding.InSync);
    }
}
