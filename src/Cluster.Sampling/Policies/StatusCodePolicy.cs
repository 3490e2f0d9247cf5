using System.Globalization;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>status_code</c>: some span has one of the status codes.</summary>
internal sealed class StatusCodePolicy(IReadOnlyList<string> codes, int[] bits) : Policy
{
    private static readonly string[] Codes = ["UNSET", "OK", "ERROR"];

    public static Policy? Read(PolicyConfiguration configuration)
    {
        IReadOnlyList<string> codes = configuration.Block.Strings("status_codes") ?? [];
        if (codes.Count == 0)
        {
            configuration.Block.Error("status_codes", "must name at least one status code", "write for example status_codes: [ERROR]");
            return null;
        }

        List<int> bits = [];
        for (int i = 0; i < codes.Count; i++)
        {
            int code = Array.IndexOf(Codes, codes[i]);
            if (code >= 0)
            {
                bits.Add(configuration.Conditions.AddStatus(code));
            }
            else
            {
                configuration.Block.Error(
                    string.Create(CultureInfo.InvariantCulture, $"status_codes[{i}]"),
                    $"unknown status code '{codes[i]}'",
                    "use OK, ERROR or UNSET, in upper case");
            }
        }

        return new StatusCodePolicy(codes, [.. bits]) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse)
    {
        foreach (int bit in bits)
        {
            if (trace.Conditions.IsSet(bit))
            {
                return true;
            }
        }

        return false;
    }

    public override string Reason(in TraceEvidence trace, bool matched)
    {
        if (!matched)
        {
            return $"no span has a status code in {Words.List(codes)}";
        }

        List<string> met = [];
        for (int i = 0; i < bits.Length; i++)
        {
            if (trace.Conditions.IsSet(bits[i]))
            {
                met.Add(codes[i]);
            }
        }

        return $"a span has status code {string.Join(", another ", met.Distinct())}";
    }
}
