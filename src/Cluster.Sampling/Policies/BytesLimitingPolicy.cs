using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>bytes_limiting</c>: keeps traces while their protobuf bytes fit a token bucket; each passes whole or not at all.</summary>
internal sealed class BytesLimitingPolicy(int budget, string limit) : Policy
{
    public override bool DrawsBudget => true;

    public static Policy Read(PolicyConfiguration configuration)
    {
        (int budget, string limit) = configuration.ReadBucket("bytes_per_second", "bytes");
        return new BytesLimitingPolicy(budget, limit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => purse.Grants(budget, trace.Bytes);

    public override string Reason(in TraceEvidence trace, bool matched) =>
        $"{trace.Bytes} bytes {(matched ? "within" : "beyond what is left of")} {limit}";
}
