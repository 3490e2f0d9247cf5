using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>always_sample</c>: keeps everything.</summary>
internal sealed class AlwaysSamplePolicy : Policy
{
    public static Policy Read(PolicyConfiguration configuration) =>
        new AlwaysSamplePolicy { Name = configuration.Name, Type = configuration.Type };

    public override bool Matches(in TraceEvidence trace, in Purse purse) => true;

    public override string Reason(in TraceEvidence trace, bool matched) => "keeps every trace";
}
