namespace Cluster.Sharding.Membership;

/// <summary>Keys of what the cluster agrees on, relative to its own prefix.</summary>
internal static class StoreKeys
{
    /// <summary>Format and number of shards; written once.</summary>
    public const string Config = "config";

    /// <summary>Who allocates; bound to that node's lease.</summary>
    public const string Coordinator = "coordinator";

    /// <summary>Who holds which shard.</summary>
    public const string Allocation = "allocation";

    /// <summary>Before the name of a node: its record, bound to its lease.</summary>
    public const string Members = "members/";

    /// <summary>Before the name of a node: what its primaries say of their copies, bound to its lease.</summary>
    public const string Reports = "reports/";

    /// <summary>A node's record.</summary>
    public static string Member(string node) => Members + node;

    /// <summary>A node's reports.</summary>
    public static string ReportsOf(string node) => Reports + node;
}
