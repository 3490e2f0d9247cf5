using Cluster.Node.Telemetry;
using Cluster.Sharding.Region;
using Cluster.Sharding.Transport;

namespace Cluster.Node.Hosting;

/// <summary>A node's part in its cluster, put together from its parts' own counters.</summary>
internal static class ClusterNumbers
{
    /// <summary>The numbers, now.</summary>
    public static ClusterStatistics Of(ClusterRuntime runtime)
    {
        PeerLinksStatus links = runtime.Links;
        return new ClusterStatistics
        {
            LeaseRemaining = runtime.LeaseRemaining,
            IsFenced = runtime.LeaseRemaining == TimeSpan.Zero,
            ConnectedPeers = links.Peers.Count(peer => peer.IsConnected),
            LinkBytesOut = links.Peers.Sum(peer => peer.BytesSent),
            LinkBytesIn = links.Peers.Sum(peer => peer.BytesReceived),
            LinkReconnects = links.Peers.Sum(peer => Math.Max(0, peer.Connects - 2)),
            Traffic = runtime.Traffic,
            Promotions = runtime.Promotions,
            Moves = runtime.Moves,
            LostShards = runtime.EmptiedShards,
            StalePromotions = runtime.StalePromotions,
            Budgets = runtime.Budgets,
        };
    }
}
