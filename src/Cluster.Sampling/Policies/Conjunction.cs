using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// "All of these match", for <c>and</c> and <c>drop</c>; an empty one always does. Limiters are asked last, and only when the rest
/// matches. Of them, inverted ones come first, since what they take decides by itself; plain ones take only when each of them has enough.
/// </summary>
internal sealed class Conjunction(Policy[] policies)
{
    private readonly Policy[] _free = [.. policies.Where(p => !p.DrawsBudget)];
    private readonly Policy[] _inverted = [.. policies.Where(p => p.DrawsBudget && p is NotPolicy)];
    private readonly Policy[] _limiting = [.. policies.Where(p => p.DrawsBudget && p is not NotPolicy)];

    /// <summary>Whether one of them may draw on a budget.</summary>
    public bool DrawsBudget => _inverted.Length + _limiting.Length > 0;

    /// <summary>Whether all match.</summary>
    public bool Matches(in TraceEvidence trace, in Purse purse) =>
        All(_free, trace, purse)
        && All(_inverted, trace, purse)
        && (_limiting.Length < 2 || All(_limiting, trace, purse.Looking))
        && All(_limiting, trace, purse);

    /// <summary>The reasons of all when all matched, or of the one that did not.</summary>
    public string Reason(in TraceEvidence trace, bool matched, string whenEmpty)
    {
        if (policies.Length == 0)
        {
            return whenEmpty;
        }

        foreach (Policy policy in _free)
        {
            // Free policies need no budget, so an empty purse will do.
            if (!policy.Matches(trace, default))
            {
                return $"{policy.Name}: {policy.Reason(trace, false)}";
            }
        }

        return matched
            ? string.Join("; ", Reasons(trace, policies))
            : string.Join(" or ", Reasons(trace, [.. _inverted, .. _limiting], matched: false));
    }

    private static List<string> Reasons(in TraceEvidence trace, Policy[] policies, bool matched = true)
    {
        List<string> reasons = [];
        foreach (Policy policy in policies)
        {
            reasons.Add($"{policy.Name}: {policy.Reason(trace, matched)}");
        }

        return reasons;
    }

    private static bool All(Policy[] policies, in TraceEvidence trace, in Purse purse)
    {
        foreach (Policy policy in policies)
        {
            if (!policy.Matches(trace, purse))
            {
                return false;
            }
        }

        return true;
    }
}
