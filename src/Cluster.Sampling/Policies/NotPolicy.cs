using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>not</c>: votes the other way round than its one sub-policy.</summary>
/// <remarks>A limiter inside takes what it grants: the grant is what makes this policy vote NotSampled.</remarks>
internal sealed class NotPolicy(Policy inner) : Policy
{
    public override bool DrawsBudget => inner.DrawsBudget;

    public static Policy? Read(PolicyConfiguration configuration) =>
        configuration.Child("not_sub_policy") is { } inner
            ? new NotPolicy(inner) { Name = configuration.Name, Type = configuration.Type }
            : null;

    public override bool Matches(in TraceEvidence trace, in Purse purse) => !inner.Matches(trace, purse);

    public override string Reason(in TraceEvidence trace, bool matched) => $"not: {inner.Reason(trace, !matched)}";
}
