namespace Cluster.Sampling.Tests.Policies;

public sealed class BooleanAttributePolicyTests
{
    [Theory]
    [InlineData("value: true", true, true)]
    [InlineData("value: true", false, false)]
    [InlineData("value: false", false, true)]
    [InlineData("value: false", true, false)]
    [InlineData("", false, true)]
    [InlineData("value: false", "false", false)]
    [InlineData("value: false", 0, false)]
    [InlineData("value: false", null, false)]
    public void Matches_Value_OnlyBooleans(string block, object? value, bool keeps)
    {
        string start = "boolean_attribute, boolean_attribute: {key: b" + (block.Length > 0 ? ", " : "") + block;
        Assert.Equal(keeps, TraceTester.Policy(start + "}").Attribute("b", value).Keeps());
        Assert.Equal(keeps, TraceTester.Policy(start + "}").Resource("b", value).Keeps());
        Assert.Equal(!keeps, TraceTester.Policy(start + ", invert_match: true}").Attribute("b", value).Keeps());
    }

    [Fact]
    public void Reason_Value_IsNamed() =>
        Assert.Equal("no span or resource has b = true", TraceTester.Policy("boolean_attribute, boolean_attribute: {key: b, value: "
            + "true}").Reason());
}
