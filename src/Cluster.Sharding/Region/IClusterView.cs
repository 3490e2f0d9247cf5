using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Region;

/// <summary>The cluster as people ask about it, from any node. Thread-safe.</summary>
public interface IClusterView
{
    /// <summary>What this node knows of the cluster now.</summary>
    ClusterSnapshot Snapshot { get; }

    /// <summary>
    /// Asks another member what only it knows; the text is a path of its admin endpoint (with its query), the answer the JSON that it would give there.
    /// </summary>
    /// <returns>Null when it did not answer in time.</returns>
    Task<string?> AskAsync(MemberId member, string question, CancellationToken cancellationToken);

    /// <summary>Has this node's shards moved to others; completes when it holds none, or there is nobody to take them.</summary>
    Task DrainAsync(CancellationToken cancellationToken);
}
