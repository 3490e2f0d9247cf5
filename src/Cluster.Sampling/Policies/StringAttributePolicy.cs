using System.Text;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies.Re2;

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
        // Taken, but without effect: an expression costs about as little as a look-up of its cached result would.
        block.Int64("cache_max_size", 0);
        bool inverted = block.Bool("invert_match", false);
        configuration.WarnOfInversion(inverted);
        if (values.Count == 0)
        {
            block.Warning("values", inverted ? "no values: keeps every trace" : "no values: keeps nothing", "list at least one");
        }

        AttributeCondition? condition = isRegex
            ? ReadExpressions(block, values)
            : new ExactCondition(new ByteStrings(values.Where(v => v.Length > 0)));
        if (condition is null)
        {
            return null;
        }

        int bit = configuration.Conditions.AddAttribute(Encoding.UTF8.GetBytes(key), condition);
        return new StringAttributePolicy(key, values, isRegex, inverted, bit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => trace.Conditions.IsSet(bit) != inverted;

    public override string Reason(in TraceEvidence trace, bool matched) =>
        $"{(matched != inverted ? "a" : "no")} span or resource has {key} {(isRegex ? "matching one of" : "in")} {Words.List(values)}"
        + (inverted ? " (inverted)" : "");

    private static RegexCondition? ReadExpressions(ConfigurationSection block, IReadOnlyList<string> values)
    {
        bool valid = true;
        for (int i = 0; i < values.Count; i++)
        {
            try
            {
                Re2Program.Compile(values[i]);
            }
            catch (Re2Exception e)
            {
                valid = false;
                string problem = $"'{values[i]}' is no RE2 expression: {e.Message}";
                block.Error($"values[{i}]", problem, "see https://github.com/google/re2/wiki/Syntax");
            }
        }

        if (!valid)
        {
            return null;
        }

        if (values.Any(v => v.Length > 0 && v.All(c => char.IsLetterOrDigit(c) || "/_-.:".Contains(c))))
        {
            block.Warning("values", "expressions match anywhere in a value, not only all of it", "write ^…$ around one that means "
                + "all of it");
        }

        try
        {
            return new RegexCondition(Re2Program.Compile(values));
        }
        catch (Re2Exception e)
        {
            block.Error("values", $"taken together: {e.Message}", "use fewer or simpler expressions");
            return null;
        }
    }

    /// <summary>The empty string is no member: neither the Collector's empty values nor empty attributes match.</summary>
    private sealed class ExactCondition(ByteStrings values) : AttributeCondition
    {
        public override bool IsMet(in AttributeValue value, bool onResource) =>
            value.Kind == AttributeKind.Text && values.Contains(value.Text);
    }

    /// <summary>As in the Collector, other types read as empty strings, and empty strings of spans are passed over.</summary>
    private sealed class RegexCondition(Re2Program program) : AttributeCondition
    {
        private readonly Re2Matcher _matcher = new(program);

        public override long GivenUp => _matcher.GivenUp;

        public override bool IsMet(in AttributeValue value, bool onResource) =>
            (onResource || value.Text.Length > 0) && _matcher.IsMatch(value.Text);

        public override AttributeCondition ForProgram() => new RegexCondition(program);
    }
}
