using Cluster.Sampling.Configuration;

namespace Cluster.Sampling.Tests.Configuration;

public sealed class ConfigurationSectionTests
{
    [Theory]
    [InlineData("5", 5)]
    [InlineData("-5", -5)]
    [InlineData("+5", 5)]
    [InlineData("1_000", 1000)]
    [InlineData("0x1F", 31)]
    [InlineData("0o17", 15)]
    [InlineData("017", 15)]
    [InlineData("0b101", 5)]
    [InlineData("0", 0)]
    [InlineData("1e3", 1000)]
    [InlineData("5.0", 5)]
    [InlineData("-9223372036854775808", long.MinValue)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("~", 42)]
    [InlineData("", 42)]
    public void Int64_Number_IsRead(string text, long value)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: {text}");
        Assert.Equal(value, section.Int64("k", 42));
        Assert.Empty(errors.All);
    }

    [Theory]
    [InlineData("'5'")]
    [InlineData("five")]
    [InlineData("true")]
    [InlineData("9223372036854775808")]
    [InlineData("1e30")]
    [InlineData("[5]")]
    [InlineData("{a: 5}")]
    [InlineData("!!str 5")]
    [InlineData("+")]
    [InlineData("0x")]
    [InlineData(".nan")]
    public void Int64_SomethingElse_IsAnError(string text)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: {text}");
        Assert.Equal(42, section.Int64("k", 42));
        Assert.Single(errors.All);
    }

    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("'5'", "5")]
    [InlineData("yes", "yes")]
    [InlineData("on", "on")]
    [InlineData("NaN", "NaN")]
    [InlineData("Infinity", "Infinity")]
    [InlineData("1.2.3", "1.2.3")]
    [InlineData("1s", "1s")]
    [InlineData("/a", "/a")]
    [InlineData("~", "")]
    [InlineData("null", "")]
    [InlineData("''", "")]
    [InlineData("-x", "-x")]
    public void Strings_PlainText_IsAString(string text, string value)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: [{text}]");
        Assert.Equal([value], section.Strings("k"));
        Assert.Empty(errors.All);
    }

    [Theory]
    [InlineData("a", "a")]
    [InlineData("a,b", "a|b")]
    [InlineData("'1, 2'", "1| 2")]
    [InlineData("','", "|")]
    [InlineData("''", null)]
    [InlineData("~", null)]
    public void Strings_OneString_IsSplitAtCommas(string text, string? values)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: {text}");
        Assert.Equal(values is null ? [] : values.Split('|'), section.Strings("k"));
        section.RejectUnknown();
        Assert.Empty(errors.All);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("5.5")]
    [InlineData("0x1F")]
    [InlineData("true")]
    [InlineData(".inf")]
    [InlineData("-.5")]
    [InlineData("[a]")]
    public void Strings_OtherTypes_AreErrors(string text)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: [{text}]");
        Assert.Empty(section.Strings("k")!);
        Assert.Single(errors.All);
    }

    [Theory]
    [InlineData("10", 10)]
    [InlineData("12.5", 12.5)]
    [InlineData(".5", .5)]
    [InlineData("1e-2", 0.01)]
    [InlineData("0x10", 16)]
    public void Double_Number_IsRead(string text, double value)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: {text}");
        Assert.Equal(value, section.Double("k", 0));
        Assert.Empty(errors.All);
    }

    [Theory]
    [InlineData(".nan")]
    [InlineData(".inf")]
    [InlineData("NaN")]
    [InlineData("'1'")]
    public void Double_NotFinite_IsAnError(string text)
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read($"k: {text}");
        section.Double("k", 0);
        Assert.Single(errors.All);
    }

    [Fact]
    public void Section_MergeKey_TakesWhatIsNotWritten()
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read(
            """
            base: &base {a: 1, b: 2}
            more: &more {b: 3, c: 4}
            k:
              <<: [*base, *more]
              a: 5
            """);
        ConfigurationSection merged = section.Section("k")!;
        Assert.Equal((5, 2, 4), (merged.Int64("a", 0), merged.Int64("b", 0), merged.Int64("c", 0)));
        merged.RejectUnknown();
        Assert.Empty(errors.All);
    }

    [Fact]
    public void HasValue_NullOrMissing_IsFalse()
    {
        (ConfigurationSection section, _) = Read("{a: ~, b: 0, c: [], d: }");
        Assert.Equal(
            [false, true, true, false, false],
            new[] { "a", "b", "c", "d", "e" }.Select(section.HasValue));
    }

    [Fact]
    public void RejectUnknown_MappingsIgnored_WarnsOfThemOnly()
    {
        (ConfigurationSection section, ConfigurationErrors errors) = Read("{a: {x: 1}, b: , c: 5, d: [1]}");
        section.RejectUnknown(mappingsAreIgnored: true);
        Assert.Equal(
            ["a: Warning", "b: Warning", "c: Error", "d: Error"],
            errors.All.Select(e => $"{e.Path}: {e.Severity}"));
    }

    [Theory]
    [InlineData("a: 1\na: 2")]
    [InlineData("a: [1")]
    [InlineData("a: *nothing")]
    [InlineData("- 1")]
    [InlineData("text")]
    [InlineData("a: 1\n---\nb: 2")]
    public void Parse_NoMapping_IsOneError(string yaml)
    {
        ConfigurationErrors errors = new();
        Assert.Null(ConfigurationSection.Parse(yaml, errors));
        Assert.Single(errors.All);
    }

    private static (ConfigurationSection Section, ConfigurationErrors Errors) Read(string yaml)
    {
        ConfigurationErrors errors = new();
        ConfigurationSection? section = ConfigurationSection.Parse(yaml, errors);
        Assert.NotNull(section);
        return (section, errors);
    }
}
