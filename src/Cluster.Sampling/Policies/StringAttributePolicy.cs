using System.Text;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// <c>string_attribute</c>: some resource or span has the attribute with one of the values, or with a value that one of the RE2
/// expressions finds a match in; inverted: none has.
/// </summary>
internal sealed class StringAttributePolicy(string key, IReadOnlyList<string> values, bool isRegex, bool inverted, int bit) : Policy
{
    public static Policy? Read(PolicyConfiguration configuration)
    {
        ConfigurationSection block = configuration.Block;
        string key = configuration.ReadKey();
        IReadOnlyList<string> values = block.Strings("values") ?? [];
        bool isRegex = block.Bool("enabled_regex_matching", false);
        long cacheSize = block.Int64("cache_max_size", 0);
        bool inverted = block.Bool("invert_match", false);
        configuration.WarnOfInversion(inverted);
        if (values.Count == 0)
        {
            block.Warning("values", inverted ? "no values: keeps every trace" : "no values: keeps nothing", "list at least one");
        }

        AttributeCondition condition = new ExactCondition(new ByteStrings(values.Where(v => v.Length > 0)));
        int bit = configuration.Conditions.AddAttribute(Encoding.UTF8.GetBytes(key), condition);
        return new StringAttributePolicy(key, values, isRegex, inverted, bit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => trace.Conditions.IsSet(bit) != inverted;

    public override string Reason(in TraceEvidence trace, bool matched) =>
        $"{(matched != inverted ? "a" : "no")} span or resource has {key} {(isRegex ? "matching one of" : "in")} {Words.List(values)}"
        + (inverted ? " (inverted)" : "");

    /// <summary>The empty string is no member: neither the Collector's empty values nor empty attributes match.</summary>
    private sealed class ExactCondition(ByteStrings values) : AttributeCondition
    {
        public override bool IsMet(in AttributeValue value, bool onResource) =>
            value.Kind == AttributeKind.Text && values.Contains(value.Text);
    }
}
