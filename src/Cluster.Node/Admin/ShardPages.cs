using System.Globalization;
using Cluster.Messages.Sharding;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>Shards: all of the cluster's, with what their owners say of them, or those of this node.</summary>
internal sealed class ShardPages(AdminSources sources, PeerQuestions? peers, TimeProvider time)
{
    /// <summary>All of them, by ID.</summary>
    public async Task<AdminReply> ListAsync(IQueryCollection query, CancellationToken cancellationToken)
    {
        if (AdminQuery.Flag(query, "local", out bool local) is { } problem)
        {
            return problem;
        }

        ShardsJson shards = local || sources.Cluster is not { View.Snapshot: { Allocation.ShardCount: > 0 } snapshot }
            ? new ShardsJson(await OwnAsync(cancellationToken), [])
            : await EverywhereAsync(snapshot, cancellationToken);
        return AdminReply.Json(shards, AdminJson.Default.ShardsJson);
    }

    /// <summary>One of them.</summary>
    public async Task<AdminReply> GetAsync(string id, IQueryCollection query, CancellationToken cancellationToken)
    {
        int most = sources.Node.Sharding.ShardCount - 1;
        if (!int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return AdminReply.BadParameter($"'{Text.Shorten(id, 100)}' is no shard ID; it is a whole number from 0 to {most}.");
        }

        if (AdminQuery.Flag(query, "local", out bool local) is { } problem)
        {
            return problem;
        }

        if (!local && sources.Cluster is { View.Snapshot: { } snapshot } && number < snapshot.Allocation.ShardCount)
        {
            return AdminReply.Json(await GetAsync(snapshot, number, cancellationToken), AdminJson.Default.ShardJson);
        }

        ShardJson? shard = (await OwnAsync(cancellationToken)).FirstOrDefault(shard => shard.Id == number);
        return shard is null
            ? AdminReply.Problem(
                StatusCodes.Status404NotFound, "No such shard", $"There is no shard {number} on this node; shards go from 0 to {most}.")
            : AdminReply.Json(shard, AdminJson.Default.ShardJson);
    }

    private async Task<ShardJson> GetAsync(ClusterSnapshot snapshot, int number, CancellationToken cancellationToken)
    {
        MemberId owner = snapshot.Allocation[number].Primary;
        ShardJson row = Row(new ClusterStanding(snapshot), snapshot.Allocation[number], number);
        ShardJson? counted = null;
        if (owner == snapshot.Self)
        {
            counted = (await OwnWithPatienceAsync(cancellationToken))?.FirstOrDefault(shard => shard.Id == number);
        }
        else if (snapshot.Find(owner) is not null)
        {
            counted = (await peers!.AskAsync(owner, $"/api/shards/{number}?local=true", AdminJson.Default.ShardJson, cancellationToken)).Value;
        }

        return Fill(row, counted);
    }

    /// <summary>What this node holds, each shard with who owns it as far as this node knows.</summary>
    private async Task<IReadOnlyList<ShardJson>> OwnAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<ShardStatus> shards = await sources.Shards.GetShardsAsync(cancellationToken).WaitAsync(cancellationToken);
        ClusterSnapshot? snapshot = sources.Cluster?.View.Snapshot;
        ClusterStanding? standing = snapshot is null ? null : new ClusterStanding(snapshot);
        return [.. shards.Select(shard => Count(Placed(shard.Id), shard))];

        ShardJson Placed(int shard) => standing is null ? Empty(shard, sources.Node.Id, 1, [], false)
            : shard < snapshot!.Allocation.ShardCount ? Row(standing, snapshot.Allocation[shard], shard)
            : Empty(shard, null, 0, [], false);
    }

    /// <summary>Every shard of the allocation; those whose owner does not answer without counts.</summary>
    private async Task<ShardsJson> EverywhereAsync(ClusterSnapshot snapshot, CancellationToken cancellationToken)
    {
        ClusterStanding standing = new(snapshot);
        Member[] owners = [.. snapshot.Members.Where(member => standing.Of(member.Id).Primaries > 0)];
        IReadOnlyList<ShardJson>?[] answers = await Task.WhenAll(owners.Select(owner => owner.Id == snapshot.Self
            ? OwnWithPatienceAsync(cancellationToken)
            : AskAsync(owner.Id, cancellationToken)));

        Dictionary<(MemberId Owner, int Shard), ShardJson> counted = [];
        for (int i = 0; i < owners.Length; i++)
        {
            foreach (ShardJson? shard in answers[i] ?? [])
            {
                if (shard is not null)
                {
                    counted[(owners[i].Id, shard.Id)] = shard;
                }
            }
        }

        ShardJson[] rows = new ShardJson[snapshot.Allocation.ShardCount];
        for (int shard = 0; shard < rows.Length; shard++)
        {
            ShardAssignment assignment = snapshot.Allocation[shard];
            rows[shard] = Fill(Row(standing, assignment, shard), counted.GetValueOrDefault((assignment.Primary, shard)));
        }

        return new ShardsJson(rows, [.. owners.Where((_, i) => answers[i] is null).Select(owner => owner.Id.Node)]);
    }

    private async Task<IReadOnlyList<ShardJson>?> AskAsync(MemberId owner, CancellationToken cancellationToken) =>
        (await peers!.AskAsync(owner, "/api/shards?local=true", AdminJson.Default.ShardsJson, cancellationToken)).Value?.Shards;

    /// <summary>Own shards that do not answer are unknown like those of others.</summary>
    private Task<IReadOnlyList<ShardJson>?> OwnWithPatienceAsync(CancellationToken cancellationToken) =>
        PeerQuestions.WithPatienceAsync<IReadOnlyList<ShardJson>>(async token => await OwnAsync(token), time, cancellationToken);

    private static ShardJson Row(ClusterStanding standing, ShardAssignment assignment, int shard) => Empty(
        shard,
        assignment.Primary.Node,
        assignment.Term,
        [.. assignment.Replicas.Select(copy => new CopyJson(copy.Member.Node, copy.InSync, copy.IsStale))],
        standing.IsMoving(assignment));

    private static ShardJson Empty(int shard, string? primary, long term, IReadOnlyList<CopyJson> replicas, bool moving) =>
        new(shard, primary, term, replicas, moving, null, null, null, null, null, null, null, null, null, null);

    private static ShardJson Count(ShardJson row, ShardStatus shard) => row with
    {
        Traces = shard.Traces,
        Spans = shard.Spans,
        Bytes = shard.Bytes,
        OldestSeconds = shard.Oldest is { } oldest ? Text.Seconds(oldest) : null,
        Decided = shard.Decided,
        Sampled = shard.Sampled,
        NotSampled = shard.NotSampled,
        Dropped = shard.Dropped,
        Refused = shard.Refused,
        Remembered = shard.Remembered,
    };

    /// <summary>Counts of an owner's own row, with the place that this node knows of.</summary>
    private static ShardJson Fill(ShardJson row, ShardJson? counted) => counted is null ? row : counted with
    {
        Id = row.Id,
        Primary = row.Primary,
        Term = row.Term,
        Replicas = row.Replicas,
        Moving = row.Moving,
    };
}
