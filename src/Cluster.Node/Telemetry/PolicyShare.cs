using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Telemetry;

/// <summary>Ratios over a policy's counters.</summary>
internal static class PolicyShare
{
    /// <summary>Traces with this vote.</summary>
    public static long Count(PolicyStatistics policy, Vote vote) => (int)vote < policy.Votes.Length ? policy.Votes[(int)vote] : 0;

    /// <summary>Traces that the policy was asked about.</summary>
    public static long Asked(PolicyStatistics policy) =>
        Count(policy, Vote.NotSampled) + Count(policy, Vote.Sampled) + Count(policy, Vote.Dropped) + Count(policy, Vote.Error);

    /// <summary>A part of a whole, 0 to 1; null of nothing.</summary>
    public static double? Of(long part, long whole) => whole > 0 ? Math.Round((double)part / whole, 6) : null;
}
