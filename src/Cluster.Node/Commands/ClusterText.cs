using Cluster.Node.Admin;

namespace Cluster.Node.Commands;

/// <summary>Answers about a cluster as tables for people.</summary>
internal static class ClusterText
{
    private const string Unknown = "?";

    /// <summary>Whether every shard has an owner, a copy in sync, and there is a coordinator.</summary>
    public static bool IsWell(ClusterJson cluster) =>
        cluster is { Coordinator: not null, Fenced: not true, Shards: { Unowned: 0, WithoutInSyncCopy: 0, Total: > 0 } };

    /// <summary>Members, and what is missing.</summary>
    public static void WriteStatus(TextWriter output, ClusterJson cluster)
    {
        if (cluster.Shards is not { } shards)
        {
            output.WriteLine($"{cluster.Self} is not in a cluster: it is a node alone and owns all its shards");
            return;
        }

        output.WriteLine(
            $"cluster {cluster.Name}: {Count(cluster.Members.Count, "node")}, {Count(shards.Total, "shard")}, "
            + $"allocation {cluster.AllocationVersion}, coordinator {cluster.Coordinator ?? "none"}");
        output.WriteLine();
        WriteTable(
            output,
            ["NODE", "STATE", ">PRIMARIES", ">COPIES", ">IN SYNC", "ZONE", ">CAPACITY", "ROLES", "ADDRESS", "VERSION"],
            cluster.Members.Select(member => new[]
            {
                member.Id,
                member.Leaving ? "leaving" : "up",
                $"{member.Primaries}",
                $"{member.Copies}",
                $"{member.InSyncCopies}",
                member.Zone.Length == 0 ? "-" : member.Zone,
                $"{member.Capacity}",
                string.Join(',', member.Roles),
                member.Address,
                member.Version,
            }));
        output.WriteLine();
        foreach (string line in Findings(cluster, shards))
        {
            output.WriteLine(line);
        }
    }

    /// <summary>Shards, then how many each node owns.</summary>
    public static void WriteShards(TextWriter output, ShardsJson shards)
    {
        WriteTable(
            output,
            [">SHARD", "PRIMARY", ">TERM", "COPIES", ">TRACES", ">SPANS", ">BYTES", "STATE"],
            shards.Shards.Select(shard => new[]
            {
                $"{shard.Id}",
                shard.Primary ?? "none",
                $"{shard.Term}",
                shard.Replicas.Count == 0 ? "-" : string.Join(", ", shard.Replicas.Select(copy => copy.Node + (copy.Stale ? " (stale)" : copy.InSync ? "" : " (filling)"))),
                Number(shard.Traces),
                Number(shard.Spans),
                Number(shard.Bytes),
                shard.Moving ? "moving" : "",
            }));
        output.WriteLine();
        IEnumerable<string> owners = shards.Shards
            .GroupBy(shard => shard.Primary ?? "nobody", StringComparer.Ordinal)
            .OrderBy(owner => owner.Key, StringComparer.Ordinal)
            .Select(owner => $"{owner.Key} {owner.Count()}");
        output.WriteLine($"{Count(shards.Shards.Count, "shard")}: {string.Join(", ", owners)}");
        foreach (string node in shards.Unanswered)
        {
            output.WriteLine($"{node} did not answer: what is in its shards is not known");
        }
    }

    /// <summary>How far a drain is.</summary>
    public static void WriteDrain(TextWriter output, DrainJson drain) => output.WriteLine(drain.State switch
    {
        "draining" => $"{drain.Node}: draining, {Held(drain)} left",
        "incomplete" => $"{drain.Node}: there is no other node to take what is left, {Held(drain)}",
        "left" => $"{drain.Node}: has left the cluster",
        _ => $"{drain.Node}: drained",
    });

    private static string Held(DrainJson drain) =>
        $"{(drain.Primaries == 1 ? "1 primary" : $"{drain.Primaries} primaries")} and {(drain.Copies == 1 ? "1 copy" : $"{drain.Copies} copies")}";

    private static IEnumerable<string> Findings(ClusterJson cluster, ClusterShardsJson shards)
    {
        if (cluster.Coordinator is null)
        {
            yield return "there is no coordinator at the moment: nothing is allocated anew";
        }

        if (cluster.Fenced == true)
        {
            yield return $"{cluster.Self} cannot reach the store: what it says here may be old, and it takes no spans";
        }

        if (shards.Unowned > 0)
        {
            yield return $"{Count(shards.Unowned, "shard")} without an owner";
        }

        if (shards.WithoutInSyncCopy > 0)
        {
            yield return $"{Count(shards.WithoutInSyncCopy, "shard")} without a copy in sync";
        }

        if (shards.Moving > 0)
        {
            yield return $"{Count(shards.Moving, "shard")} moving";
        }

        if (IsWell(cluster) && shards.Moving == 0)
        {
            yield return cluster.Settings is { Replicas: 0 }
                ? "every shard has an owner"
                : "every shard has an owner and a copy in sync";
        }
    }

    private static string Number(long? value) => value is { } known ? $"{known}" : Unknown;

    private static string Count(int number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";

    /// <summary>Columns as wide as they must be; a title that begins with <c>&gt;</c> stands over numbers, to the right.</summary>
    private static void WriteTable(TextWriter output, IReadOnlyList<string> titles, IEnumerable<string[]> rows)
    {
        string[][] lines = [[.. titles.Select(title => title.TrimStart('>'))], .. rows];
        int[] widths = [.. titles.Select((_, column) => lines.Max(line => line[column].Length))];
        foreach (string[] line in lines)
        {
            IEnumerable<string> cells = line.Select((cell, column) =>
                titles[column][0] == '>' ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]));
            output.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }
}
