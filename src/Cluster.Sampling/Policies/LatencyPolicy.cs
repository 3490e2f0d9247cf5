using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// <c>latency</c>: by the whole trace's duration, latest end minus earliest start. The lower bound is inclusive alone, exclusive together
/// with an upper one.
/// </summary>
internal sealed class LatencyPolicy(long threshold, long upperThreshold) : Policy
{
    public static Policy Read(PolicyConfiguration configuration)
    {
        long threshold = configuration.Block.Int64("threshold_ms", 0);
        long upper = configuration.Block.Int64("upper_threshold_ms", 0);
        if (upper != 0 && threshold >= upper)
        {
            configuration.Block.Warning(
                "upper_threshold_ms",
                $"no duration is above {threshold} ms and at most {upper} ms: keeps nothing",
                "use a value above threshold_ms, or leave it out");
        }
        else if (upper != 0)
        {
            configuration.Block.Warning(
                "upper_threshold_ms",
                "compared with the duration of the whole trace; the Collector keeps a trace when its first spans alone lie inside "
                + "the window",
                "nothing to do, unless longer traces were kept because of that");
        }

        return new LatencyPolicy(threshold, upper) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse)
    {
        long duration = trace.DurationMilliseconds;
        return upperThreshold == 0 ? duration >= threshold : duration > threshold && duration <= upperThreshold;
    }

    public override string Reason(in TraceEvidence trace, bool matched)
    {
        long duration = trace.DurationMilliseconds;
        return upperThreshold == 0 ? $"duration {duration} ms {(matched ? ">=" : "<")} threshold_ms {threshold}"
            : matched ? $"duration {duration} ms > threshold_ms {threshold} and <= upper_threshold_ms {upperThreshold}"
            : duration <= threshold ? $"duration {duration} ms <= threshold_ms {threshold}"
            : $"duration {duration} ms > upper_threshold_ms {upperThreshold}";
    }
}
