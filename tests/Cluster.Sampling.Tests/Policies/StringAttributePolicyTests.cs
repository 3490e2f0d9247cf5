namespace Cluster.Sampling.Tests.Policies;

public sealed class StringAttributePolicyTests
{
    [Theory]
    [InlineData("[/a]", "/a", true)]
    [InlineData("[/a]", "/ab", false)]
    [InlineData("[/a]", "/A", false)]
    [InlineData("[/a, /b, /c, /d, /e, /f]", "/f", true)]
    [InlineData("[/a, /b, /c, /d, /e, /f]", "/g", false)]
    [InlineData("['', /a]", "", false)]
    [InlineData("[]", "", false)]
    [InlineData("['5']", 5, false)]
    [InlineData("['true']", true, false)]
    [InlineData("[ünï]", "ünï", true)]
    [InlineData("[a-long-value-of-more-than-eight]", "a-long-value-of-more-than-eight", true)]
    [InlineData("[a-long-value-of-more-than-eight]", "a-long-VALUE-of-more-than-eight", false)]
    public void Matches_Exact_IsMembership(string values, object value, bool keeps)
    {
        Assert.Equal(keeps, Policy(values).Attribute("http.route", value).Keeps());
        Assert.Equal(keeps, Policy(values).Resource("http.route", value).Keeps());
        Assert.Equal(!keeps, Policy(values, "invert_match: true").Attribute("http.route", value).Keeps());
        Assert.Equal(!keeps, Policy(values, "invert_match: true").Resource("http.route", value).Keeps());
    }

    [Theory]
    [InlineData("['^/a']", "/ab", true)]
    [InlineData("['^/a$']", "/ab", false)]
    [InlineData("[b]", "/abc", true)]
    [InlineData("['^x', 'c$']", "/abc", true)]
    [InlineData("['(?i)ABC']", "/abc", true)]
    public void Matches_Regex_FindsAnywhere(string values, string value, bool keeps)
    {
        Assert.Equal(keeps, Policy(values, "enabled_regex_matching: true").Attribute("http.route", value).Keeps());
        Assert.Equal(keeps, Policy(values, "enabled_regex_matching: true, cache_max_size: 10").Resource("http.route", value).Keeps());
        Assert.Equal(!keeps, Policy(values, "enabled_regex_matching: true, invert_match: true").Attribute("http.route", value).Keeps());
    }

    [Theory]
    [InlineData("")]
    [InlineData(5)]
    [InlineData(null)]
    public void Matches_RegexOnNoText_ResourcesReadAsEmptySpansArePassedOver(object? value)
    {
        Assert.True(Policy("['^$']", "enabled_regex_matching: true").Resource("http.route", value).Keeps());
        Assert.False(Policy("['^$']", "enabled_regex_matching: true").Attribute("http.route", value).Keeps());
        Assert.True(Policy("['']", "enabled_regex_matching: true").Attribute("http.route", "x").Keeps());
        Assert.False(Policy("[]", "enabled_regex_matching: true").Attribute("http.route", "x").Keeps());
    }

    [Fact]
    public void Matches_RegexOnInvalidUtf8_DoesNotThrow() =>
        Assert.True(Policy("['^.a$']", "enabled_regex_matching: true").Attribute("http.route", new byte[] { 0xFF, 0x61 }).Keeps());

    [Fact]
    public void Matches_AttributeMissing_OnlyInverted()
    {
        Assert.False(Policy("[/a]").Attribute("http.rout3", "/a").Attribute("http.route2", "/a").Keeps());
        Assert.True(Policy("[/a]", "invert_match: true").Attribute("other", "/a").Keeps());
    }

    [Fact]
    public void Matches_AnySpan_Decides()
    {
        Assert.True(Policy("[/a]").Attribute("http.route", "/b").Attribute("http.route", "/a").Keeps());
        Assert.False(Policy("[/a]", "invert_match: true").Attribute("http.route", "/b").Attribute("http.route", "/a").Keeps());
    }

    [Fact]
    public void Matches_KeyTwiceInOneSpan_FirstCounts()
    {
        Assert.False(Policy("[/a]").Span(s => s.Attribute("http.route", "/b").Attribute("http.route", "/a")).Keeps());
        Assert.True(Policy("[/a]").Span(s => s.Attribute("http.route", "/a").Attribute("http.route", "/b")).Keeps());
    }

    [Fact]
    public void Reason_Kept_NamesKeyAndValues()
    {
        Assert.Equal("a span or resource has http.route in [/a]", Policy("[/a]").Attribute("http.route", "/a").Reason());
        Assert.Equal("no span or resource has http.route in [/a]", Policy("[/a]").Span().Reason());
    }

    private static TraceTester Policy(string values, string more = "") =>
        TraceTester.Policy($"string_attribute, string_attribute: {{key: http.route, values: "
            + $"{values}{(more.Length > 0 ? ", " + more : "")}}}");
}
