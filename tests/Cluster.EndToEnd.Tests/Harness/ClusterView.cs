using System.Text.Json;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>A member of the cluster, as a node sees it.</summary>
internal sealed record MemberView(string Id, string Incarnation, bool Leaving, int Primaries, int Copies, int InSyncCopies);

/// <summary>How shards are held, as a node sees it.</summary>
internal sealed record ShardTotals(int Total, int Unowned, int WithoutInSyncCopy, int Moving);

/// <summary>What a node answers to <c>/api/cluster</c>.</summary>
internal sealed record ClusterView(
    string Mode,
    string Name,
    string Self,
    string? Coordinator,
    long AllocationVersion,
    double? LeaseRemainingSeconds,
    bool Fenced,
    ShardTotals Shards,
    IReadOnlyList<MemberView> Members)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Reads an answer.</summary>
    public static ClusterView Parse(string json) => JsonSerializer.Deserialize<ClusterView>(json, Json)!;

    /// <summary>Most that a node may have of what all share, over the mean.</summary>
    private const double FairShare = 1.1;

    /// <summary>True when these are the members, every shard has a primary and one copy, in sync, evenly spread, and nothing moves.</summary>
    public bool IsWhole(IEnumerable<string> members) =>
        Members.Select(member => member.Id).Order().SequenceEqual(members.Order())
        && Members.All(member => !member.Leaving)
        && Shards is { Unowned: 0, WithoutInSyncCopy: 0, Moving: 0 }
        && Members.Sum(member => member.InSyncCopies) == Shards.Total
        && Members.Sum(member => member.Copies) == Shards.Total
        && Imbalance <= FairShare
        && CopyImbalance <= FairShare
        && Coordinator is not null
        && !Fenced;

    /// <summary>Most primaries on a node, over the mean.</summary>
    public double Imbalance => Members.Max(member => member.Primaries) / Members.Average(member => member.Primaries);

    /// <summary>The same of copies.</summary>
    public double CopyImbalance => Members.Max(member => member.Copies) / Members.Average(member => member.Copies);
}

/// <summary>One shard of <c>/api/shards</c>.</summary>
internal sealed record ShardView(int Id, string? Primary, long Term, IReadOnlyList<ReplicaView> Replicas, bool Moving, long? Traces, long? Spans);

/// <summary>One copy of it.</summary>
internal sealed record ReplicaView(string Node, bool InSync);
