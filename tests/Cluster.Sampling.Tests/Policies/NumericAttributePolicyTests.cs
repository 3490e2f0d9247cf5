using Cluster.Sampling.Configuration;
using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Tests.Policies;

public sealed class NumericAttributePolicyTests
{
    [Theory]
    [InlineData("min_value: 400", 399, false)]
    [InlineData("min_value: 400", 400, true)]
    [InlineData("min_value: 400", long.MaxValue, true)]
    [InlineData("max_value: 10", 10, true)]
    [InlineData("max_value: 10", 11, false)]
    [InlineData("max_value: 10", long.MinValue, true)]
    [InlineData("min_value: 400, max_value: 499", 450, true)]
    [InlineData("min_value: 400, max_value: 499", 500, false)]
    [InlineData("min_value: 0", 0, true)]
    [InlineData("min_value: 0", -1, false)]
    [InlineData("max_value: 0", 1, false)]
    [InlineData("min_value: 0, max_value: 0", 0, true)]
    [InlineData("min_value: 0, max_value: 0", 1, false)]
    [InlineData("min_value: 400", 400.0, true)]
    [InlineData("min_value: 400", 399.9, false)]
    [InlineData("max_value: 10", 10.1, false)]
    [InlineData("max_value: 10", 10.0, true)]
    [InlineData("min_value: 1", double.NaN, false)]
    [InlineData("min_value: 1", double.PositiveInfinity, true)]
    [InlineData("max_value: 1", double.NegativeInfinity, true)]
    [InlineData("max_value: 1", double.PositiveInfinity, false)]
    [InlineData("min_value: 9007199254740993", 9007199254740992.0, false)]
    [InlineData("min_value: 9007199254740991", 9007199254740992.0, true)]
    [InlineData("min_value: 400", "450", false)]
    [InlineData("min_value: 0", "0", false)]
    [InlineData("min_value: 0", true, false)]
    [InlineData("min_value: 5, max_value: 4", 5, false)]
    public void Matches_Value_InsideInclusiveBounds(string block, object value, bool keeps)
    {
        Assert.Equal(keeps, Policy(block).Attribute("n", value).Keeps());
        Assert.Equal(keeps, Policy(block).Resource("n", value).Keeps());
        Assert.Equal(!keeps, Policy(block + ", invert_match: true").Attribute("n", value).Keeps());
    }

    [Theory]
    [InlineData("")]
    [InlineData("min_value: ~")]
    public void Read_NoBound_IsAnError(string block)
    {
        ConfigurationErrors errors = new();
        Assert.Null(PolicyCompiler.Parse($"policies: [{{name: p, type: numeric_attribute, numeric_attribute: {{key: n, "
            + $"{block}}}}}]", errors));
        ConfigurationError error = Assert.Single(errors.All);
        Assert.Equal("policies[0].numeric_attribute.min_value", error.Path);
        Assert.Equal("neither min_value nor max_value is set", error.Problem);
    }

    [Fact]
    public void Reason_Bounds_AreNamed()
    {
        Assert.Equal("a span or resource has n from 4 to 5", Policy("min_value: 4, max_value: 5").Attribute("n", 4).Reason());
        Assert.Equal("no span or resource has n >= 4", Policy("min_value: 4").Reason());
        Assert.Equal("no span or resource has n <= 4 (inverted)", Policy("max_value: 4, invert_match: true").Reason());
    }

    private static TraceTester Policy(string block) =>
        TraceTester.Policy($"numeric_attribute, numeric_attribute: {{key: n, {block}}}");
}
