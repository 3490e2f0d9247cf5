using System.Globalization;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>Shards of this node.</summary>
internal sealed class ShardPages(AdminSources sources)
{
    /// <summary>All of them, by ID.</summary>
    public async Task<AdminReply> ListAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<ShardStatus> shards = await sources.Shards.GetShardsAsync(cancellationToken).WaitAsync(cancellationToken);
        return AdminReply.Json(new ShardsJson([.. shards.Select(Describe)]), AdminJson.Default.ShardsJson);
    }

    /// <summary>One of them.</summary>
    public async Task<AdminReply> GetAsync(string id, CancellationToken cancellationToken)
    {
        int most = sources.Node.Sharding.ShardCount - 1;
        if (!int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return AdminReply.BadParameter($"'{Text.Shorten(id, 100)}' is no shard ID; it is a whole number from 0 to {most}.");
        }

        IReadOnlyList<ShardStatus> shards = await sources.Shards.GetShardsAsync(cancellationToken).WaitAsync(cancellationToken);
        ShardStatus? shard = shards.FirstOrDefault(shard => shard.Id == number);
        return shard is null
            ? AdminReply.Problem(StatusCodes.Status404NotFound, "No such shard", $"There is no shard {number} on this node; shards go from 0 to {most}.")
            : AdminReply.Json(Describe(shard), AdminJson.Default.ShardJson);
    }

    private static ShardJson Describe(ShardStatus shard) => new(
        shard.Id, shard.Traces, shard.Spans, shard.Bytes, shard.Oldest is { } oldest ? Text.Seconds(oldest) : null, shard.Decided, shard.Sampled,
        shard.NotSampled, shard.Dropped, shard.Refused, shard.Remembered);
}
