using Cluster.Gateway.Receivers;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>Doors, policies and exporters.</summary>
internal sealed class PipelinePages(AdminSources sources)
{
    private const int LongestError = 1000;

    /// <summary>What came in.</summary>
    public AdminReply Doors()
    {
        GatewaySnapshot gateway = sources.Gateway();
        return AdminReply.Json(
            new DoorsJson(gateway.InFlightBytes, gateway.Connections, gateway.RefusedConnections, [.. gateway.Doors.Select(Describe)]),
            AdminJson.Default.DoorsJson);
    }

    /// <summary>What every policy said and decided.</summary>
    public AdminReply Policies()
    {
        ShardRegionStatistics statistics = sources.Shards.GetStatistics();
        long[] decisions = statistics.Decisions;
        long decided = decisions.Sum();
        double seconds = Text.Seconds(statistics.DecisionTime);
        return AdminReply.Json(
            new PoliciesJson(
                [.. statistics.Policies.Select(policy => Describe(policy, decided))],
                new DecisionsJson(decisions[(int)Decision.Sampled], decisions[(int)Decision.NotSampled], decisions[(int)Decision.Dropped]),
                seconds,
                decided > 0 ? Math.Round(statistics.DecisionTime.TotalSeconds / decided, 9) : null),
            AdminJson.Default.PoliciesJson);
    }

    /// <summary>What every exporter is doing.</summary>
    public AdminReply Exporters() =>
        AdminReply.Json(new ExportersJson([.. sources.Exporters().Select(Describe)]), AdminJson.Default.ExportersJson);

    private static PolicyJson Describe(PolicyStatistics policy, long decided)
    {
        VotesJson votes = new(
            PolicyShare.Count(policy, Vote.Sampled),
            PolicyShare.Count(policy, Vote.NotSampled),
            PolicyShare.Count(policy, Vote.Dropped),
            PolicyShare.Count(policy, Vote.Error),
            PolicyShare.Count(policy, Vote.NotEvaluated));
        return new PolicyJson(
            policy.Name,
            policy.Type,
            votes,
            PolicyShare.Of(votes.Sampled, PolicyShare.Asked(policy)),
            policy.Decided,
            PolicyShare.Of(policy.Decided, decided),
            policy.DecidedSpans);
    }

    private static DoorJson Describe(DoorSnapshot door) => new(
        Names.Of(door.Door),
        door.AcceptedSpans,
        door.RejectedSpans,
        door.ReceivedBytes,
        door.InflatedBytes,
        door.Requests.ToDictionary(count => Names.Of(count.Key), count => count.Value),
        door.Refused.ToDictionary(count => Names.Of(count.Key), count => count.Value));

    private static ExporterJson Describe(ExporterStatus exporter) => new(
        exporter.Id,
        exporter.Type,
        exporter.Endpoint,
        Names.Of(exporter.State),
        new ExporterQueueJson(
            exporter.QueueBytes, exporter.QueueCapacityBytes, exporter.QueueRequests, Text.Seconds(exporter.OldestQueued),
            exporter.InFlight, exporter.WaitingForRetry),
        new ExporterSentJson(exporter.SentRequests, exporter.SentTraces, exporter.SentSpans, exporter.SentBytes, exporter.SentWireBytes),
        exporter.Retries,
        exporter.FailedAttempts.OrderBy(failed => failed.Key, StringComparer.Ordinal).ToDictionary(),
        new LostJson(exporter.RejectedTraces, exporter.RejectedSpans),
        new LostJson(exporter.GivenUpTraces, exporter.GivenUpSpans),
        new LostJson(exporter.UnsentTraces, exporter.UnsentSpans),
        exporter.LastError is null ? null : Text.Shorten(exporter.LastError, LongestError),
        exporter.LastErrorAt,
        exporter.LastSuccessAt);
}
