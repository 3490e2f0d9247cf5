using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>Policies and exporters.</summary>
internal sealed class PipelinePages(AdminSources sources)
{
    private const int LongestError = 1000;

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
        AdminReply.Json(new ExportersJson([.. sources.Exporters.GetExporters().Select(Describe)]), AdminJson.Default.ExportersJson);

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

    private static ExporterJson Describe(ExporterSnapshot exporter) => new(
        exporter.Id, exporter.Type, exporter.Endpoint, Names.Of(exporter.State), exporter.QueueBytes, exporter.QueueCapacityBytes,
        exporter.SentSpans, exporter.SentRequests, exporter.FailedSpans, exporter.FailedAttempts,
        exporter.LastError is null ? null : Text.Shorten(exporter.LastError, LongestError), exporter.LastErrorAt);
}
