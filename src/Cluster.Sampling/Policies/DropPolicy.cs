using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>drop</c>: when every sub-policy matches, the trace goes, whatever others want. Without sub-policies all go.</summary>
internal sealed class DropPolicy(Conjunction conjunction) : Policy
{
    public override bool DrawsBudget => conjunction.DrawsBudget;

    public static Policy? Read(PolicyConfiguration configuration)
    {
        if (configuration.Children("drop_sub_policy", alsoAllowed: "not") is not { } children)
        {
            return null;
        }

        if (children.Length == 0)
        {
            configuration.Block.Warning("drop_sub_policy", "no sub-policies: drops every trace", "list those that must all match");
        }

        return new DropPolicy(new Conjunction(children)) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => conjunction.Matches(trace, purse);

    public override string Reason(in TraceEvidence trace, bool matched) =>
        conjunction.Reason(trace, matched, "has no sub-policies, so drops every trace");
}
