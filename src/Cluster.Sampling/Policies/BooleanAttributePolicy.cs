using System.Text;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// <c>boolean_attribute</c>: some resource or span has the attribute as a boolean of that value; inverted: none has. Other types never
/// match.
/// </summary>
internal sealed class BooleanAttributePolicy(string key, bool value, bool inverted, int bit) : Policy
{
    public static Policy Read(PolicyConfiguration configuration)
    {
        string key = configuration.ReadKey();
        bool value = configuration.Block.Bool("value", false);
        bool inverted = configuration.Block.Bool("invert_match", false);
        configuration.WarnOfInversion(inverted);
        if (!value)
        {
            configuration.Block.Warning(
                "value",
                "false matches boolean attributes only; in the Collector an attribute of any other type counts as false",
                "nothing to do, unless other types were meant: then use string_attribute or numeric_attribute");
        }

        int bit = configuration.Conditions.AddAttribute(Encoding.UTF8.GetBytes(key), new Condition(value));
        return new BooleanAttributePolicy(key, value, inverted, bit) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => trace.Conditions.IsSet(bit) != inverted;

    public override string Reason(in TraceEvidence trace, bool matched) =>
        $"{(matched != inverted ? "a" : "no")} span or resource has {key} = {(value ? "true" : "false")}{(inverted ? " (inverted)" : "")}";

    private sealed class Condition(bool wanted) : AttributeCondition
    {
        public override bool IsMet(in AttributeValue value, bool onResource) =>
            value.Kind == AttributeKind.Boolean && value.Boolean == wanted;
    }
}
