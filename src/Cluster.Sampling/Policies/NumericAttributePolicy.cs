using System.Text;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// <c>numeric_attribute</c>: some resource or span has the attribute as a number inside the bounds, both inclusive; inverted: none has.
/// A double is compared as a double; other types never match. A bound of 0 is a bound.
/// </summary>
internal sealed class NumericAttributePolicy(string key, long? minimum, long? maximum, bool inverted, int bit) : Policy
{
    public static Policy? Read(PolicyConfiguration configuration)
    {
        ConfigurationSection block = configuration.Block;
        string key = configuration.ReadKey();
        long? minimum = ReadBound(block, "min_value");
        long? maximum = ReadBound(block, "max_value");
        bool inverted = block.Bool("invert_match", false);
        configuration.WarnOfInversion(inverted);
        if (minimum is null && maximum is null)
        {
            block.Error("min_value", "neither min_value nor max_value is set", "set at least one of them");
            return null;
        }

        if (minimum > maximum)
        {
            block.Warning("max_value", $"no number is from {minimum} to {maximum}", "use min_value or more");
        }

        Condition condition = new(minimum ?? long.MinValue, maximum ?? long.MaxValue);
        int bit = configuration.Conditions.AddAttribute(Encoding.UTF8.GetBytes(key), condition);
        return new NumericAttributePolicy(key, minimum, maximum, inverted, bit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => trace.Conditions.IsSet(bit) != inverted;

    public override string Reason(in TraceEvidence trace, bool matched)
    {
        string range = minimum is null ? $"<= {maximum}" : maximum is null ? $">= {minimum}" : $"from {minimum} to {maximum}";
        return $"{(matched != inverted ? "a" : "no")} span or resource has {key} {range}{(inverted ? " (inverted)" : "")}";
    }

    private static long? ReadBound(ConfigurationSection block, string key)
    {
        long value = block.Int64(key, 0);
        if (!block.HasValue(key))
        {
            return null;
        }

        if (value == 0)
        {
            block.Warning(key, "0 is a bound here; the Collector takes it for no bound", "leave it out if no bound was meant");
        }

        return value;
    }

    private sealed class Condition(long minimum, long maximum) : AttributeCondition
    {
        private const double TwoTo63 = 9223372036854775808.0;

        public override bool IsMet(in AttributeValue value, bool onResource) => value.Kind switch
        {
            AttributeKind.Integer => value.Integer >= minimum && value.Integer <= maximum,
            AttributeKind.Real => IsAtLeast(value.Real) && IsAtMost(value.Real),
            _ => false,
        };

        /// <summary>Exact, also where a double cannot hold the bound. NaN is outside.</summary>
        private bool IsAtLeast(double number) =>
            number >= TwoTo63
            || (number >= -TwoTo63 ? (long)Math.Floor(number) >= minimum : !double.IsNaN(number) && minimum == long.MinValue);

        private bool IsAtMost(double number) =>
            number < -TwoTo63
            || (number < TwoTo63 ? (long)Math.Ceiling(number) <= maximum : !double.IsNaN(number) && maximum == long.MaxValue);
    }
}
