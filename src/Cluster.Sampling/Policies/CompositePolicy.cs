using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// <c>composite</c>: sub-policies in <c>policy_order</c>, each with a share of <c>max_total_spans_per_second</c>. The first that wants the
/// trace and has room for its spans keeps it; one without room passes the trace on to the next. Shares and total are token
/// buckets that hold one second's worth.
/// </summary>
internal sealed class CompositePolicy(CompositePolicy.Share[] shares, int total, long maximum) : Policy
{
    public override bool DrawsBudget => true;

    public static Policy? Read(PolicyConfiguration configuration)
    {
        ConfigurationSection block = configuration.Block;
        long maximum = block.Int64("max_total_spans_per_second", 0);
        IReadOnlyList<string> order = block.Strings("policy_order") ?? [];
        Dictionary<string, double> percents = ReadPercents(block);
        if (configuration.Children("composite_sub_policy", alsoAllowed: "and") is not { } children)
        {
            return null;
        }

        if (children.Length == 0 || maximum <= 0)
        {
            string key = children.Length == 0 ? "composite_sub_policy" : "max_total_spans_per_second";
            block.Warning(key, "keeps nothing without it", "list sub-policies, and set max_total_spans_per_second above 0");
        }

        WarnOfNames(block, children, order, percents);
        Policy[] ordered =
        [
            .. order.Distinct(StringComparer.Ordinal).SelectMany(name => children.Where(c => c.Name == name)),
            .. children.Where(c => !order.Contains(c.Name, StringComparer.Ordinal)),
        ];
        if (!ordered.SequenceEqual(children))
        {
            string asked = Words.List([.. children.Select(c => c.Name)]);
            block.Warning(
                "policy_order",
                "is followed here; the Collector asks in the order of composite_sub_policy: " + asked,
                "list the sub-policies in the same order, to have the same in both");
        }

        int total = configuration.AddBudget(Math.Max(0, maximum), Math.Max(0, maximum));
        Share[] shares = Allot(configuration, ordered, percents, maximum);
        return new CompositePolicy(shares, total, maximum) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse)
    {
        foreach (Share share in shares)
        {
            // Sub-policies with budgets of their own are asked only once there is room for their answer.
            Policy policy = share.Policy;
            if ((policy.DrawsBudget || policy.Matches(trace, purse))
                && purse.Has(share.Budget, trace.SpanCount)
                && purse.Has(total, trace.SpanCount)
                && (!policy.DrawsBudget || policy.Matches(trace, purse))
                && purse.Grants(share.Budget, trace.SpanCount)
                && purse.Grants(total, trace.SpanCount))
            {
                return true;
            }
        }

        return false;
    }

    public override string Reason(in TraceEvidence trace, bool matched)
    {
        List<string> wanting = [];
        foreach (Share share in shares)
        {
            if (share.Policy.DrawsBudget || share.Policy.Matches(trace, default))
            {
                wanting.Add($"{share.Policy.Name} ({share.SpansPerSecond}/s)");
            }
        }

        string spans = Words.Spans(trace.SpanCount);
        string limit = $"max_total_spans_per_second {maximum}";
        return wanting.Count == 0 ? "no sub-policy wants it"
            : matched ? $"wanted by {string.Join(", ", wanting)}; {spans} within the share of one of them and within {limit}"
            : $"wanted by {string.Join(", ", wanting)}, but {spans} beyond what is left of their shares or of {limit}";
    }

    private static Dictionary<string, double> ReadPercents(ConfigurationSection block)
    {
        Dictionary<string, double> percents = new(StringComparer.Ordinal);
        foreach (ConfigurationSection allocation in block.Sections("rate_allocation") ?? [])
        {
            percents[allocation.String("policy", "") ?? ""] = allocation.Int64("percent", 0);
            allocation.RejectUnknown();
        }

        return percents;
    }

    private static void WarnOfNames(
        ConfigurationSection block, Policy[] children, IReadOnlyList<string> order, Dictionary<string, double> percents)
    {
        foreach (string name in order.Where(n => !children.Any(c => c.Name == n)))
        {
            block.Warning("policy_order", $"no sub-policy is called '{name}'", "use the names in composite_sub_policy");
        }

        foreach (string name in percents.Keys.Where(n => !children.Any(c => c.Name == n)))
        {
            block.Warning("rate_allocation", $"no sub-policy is called '{name}'", "use the names in composite_sub_policy");
        }

        if (percents.Values.Sum() > 100)
        {
            block.Warning("rate_allocation", "the percents sum to more than 100", "max_total_spans_per_second still bounds the sum");
        }
    }

    private static Share[] Allot(PolicyConfiguration configuration, Policy[] policies, Dictionary<string, double> percents, long maximum)
    {
        Dictionary<string, int> budgets = new(StringComparer.Ordinal);
        double left = maximum;
        foreach (string name in policies.Select(p => p.Name).Where(percents.ContainsKey).Distinct(StringComparer.Ordinal))
        {
            double percent = percents[name];
            double allotted = Math.Max(0, Math.Truncate(percent > 0 ? percent / 100 * maximum : (double)maximum / policies.Length));
            budgets[name] = configuration.AddBudget(allotted, allotted, name);
            left -= allotted;
        }

        string[] unlisted = [.. policies.Select(p => p.Name).Where(n => !percents.ContainsKey(n)).Distinct(StringComparer.Ordinal)];
        if (unlisted.Length > 0)
        {
            left = Math.Max(0, left);
            int budget = configuration.AddBudget(left, left, "rest");
            configuration.Block.Warning(
                "rate_allocation",
                $"{Words.List(unlisted)} not listed: {(unlisted.Length > 1 ? "share" : "gets")} the {left} spans/s that the others leave; "
                + "the Collector gives an unlisted sub-policy nothing",
                "list each sub-policy, to have the same in both");
            foreach (string name in unlisted)
            {
                budgets[name] = budget;
            }
        }

        return [.. policies.Select(p => new Share(p, budgets[p.Name], configuration.BudgetOf(budgets[p.Name]).PerSecond))];
    }

    /// <summary>A sub-policy and its bucket.</summary>
    internal sealed record Share(Policy Policy, int Budget, double SpansPerSecond);
}
