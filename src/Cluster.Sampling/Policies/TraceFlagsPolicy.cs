using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>trace_flags</c>: some span has the W3C sampled flag.</summary>
internal sealed class TraceFlagsPolicy(int bit) : Policy
{
    public static Policy Read(PolicyConfiguration configuration) =>
        new TraceFlagsPolicy(configuration.Conditions.AddSampledFlag()) { Name = configuration.Name, Type = configuration.Type };

    public override bool Matches(in TraceEvidence trace, in Purse purse) => trace.Conditions.IsSet(bit);

    public override string Reason(in TraceEvidence trace, bool matched) => $"{(matched ? "a" : "no")} span has the sampled flag";
}
