using System.Text;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>trace_state</c>: some span's W3C tracestate is valid and has the member with one of the values.</summary>
internal sealed class TraceStatePolicy(string key, IReadOnlyList<string> values, int bit) : Policy
{
    /// <summary>Key and value together are shorter than this in a tracestate.</summary>
    private const int MemberLimit = 256;

    public static Policy Read(PolicyConfiguration configuration)
    {
        string key = configuration.ReadKey();
        IReadOnlyList<string> values = configuration.Block.Strings("values") ?? [];
        byte[] keyBytes = Encoding.UTF8.GetBytes(key);
        string[] usable = [.. values.Where(v => v.Length > 0 && keyBytes.Length + Encoding.UTF8.GetByteCount(v) < MemberLimit)];
        if (usable.Length == 0)
        {
            configuration.Block.Warning("values", "no usable value: keeps nothing", "list at least one, not empty and not too long");
        }
        else if (usable.Length < values.Count)
        {
            configuration.Block.Warning(
                "values", "values that are empty, or with the key 256 bytes or longer, match nothing", "remove them");
        }

        int bit = configuration.Conditions.AddTraceState(new TraceStateCondition(keyBytes, new ByteStrings(usable)));
        return new TraceStatePolicy(key, usable, bit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => trace.Conditions.IsSet(bit);

    public override string Reason(in TraceEvidence trace, bool matched) =>
        $"{(matched ? "a" : "no")} span's tracestate has {key} in {Words.List(values)}";
}
