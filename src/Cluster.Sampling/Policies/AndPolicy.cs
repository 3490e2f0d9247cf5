using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>and</c>: every sub-policy wants the trace. Without sub-policies it keeps everything.</summary>
internal sealed class AndPolicy(Conjunction conjunction) : Policy
{
    public override bool DrawsBudget => conjunction.DrawsBudget;

    public static Policy? Read(PolicyConfiguration configuration)
    {
        if (configuration.Children("and_sub_policy", alsoAllowed: "not") is not { } children)
        {
            return null;
        }

        if (children.Length == 0)
        {
            configuration.Block.Warning("and_sub_policy", "no sub-policies: keeps every trace", "list those that must all want it");
        }

        return new AndPolicy(new Conjunction(children)) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => conjunction.Matches(trace, purse);

    public override string Reason(in TraceEvidence trace, bool matched) =>
        conjunction.Reason(trace, matched, "has no sub-policies, so keeps every trace");
}
