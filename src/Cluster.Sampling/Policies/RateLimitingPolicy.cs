using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>rate_limiting</c>: keeps traces while their spans fit a token bucket; a trace passes whole or not at all.</summary>
internal sealed class RateLimitingPolicy(int budget, string limit) : Policy
{
    public override bool DrawsBudget => true;

    public static Policy Read(PolicyConfiguration configuration)
    {
        (int budget, string limit) = configuration.ReadBucket("spans_per_second", "spans");
        return new RateLimitingPolicy(budget, limit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => purse.Grants(budget, trace.SpanCount);

    public override string Reason(in TraceEvidence trace, bool matched) =>
        $"{Words.Spans(trace.SpanCount)} {(matched ? "within" : "beyond what is left of")} {limit}";
}
