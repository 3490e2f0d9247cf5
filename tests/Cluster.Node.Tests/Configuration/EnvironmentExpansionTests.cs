using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

public sealed class EnvironmentExpansionTests
{
    private const string WriteEnv = "; write ${env:NAME} or ${env:NAME:-default}, and $$ for a dollar sign";

    [Theory]
    [InlineData("${env:HOST}", "10.0.0.7")]
    [InlineData("${HOST}", "10.0.0.7")]
    [InlineData("'${env:HOST}'", "10.0.0.7")]
    [InlineData("${env:DIGITS}", "0123456789")]
    [InlineData("a-${env:HOST}-${env:PORT}", "a-10.0.0.7-5317")]
    [InlineData("${env:MISSING:-fallback}", "fallback")]
    [InlineData("${MISSING:-a:-b}", "a:-b")]
    [InlineData("${env:MISSING:-${env:HOST}}", "10.0.0.7")]
    [InlineData("${env:HOST:-fallback}", "10.0.0.7")]
    [InlineData("'${env:MISSING:-}'", null)]
    [InlineData("${env:EMPTY:-fallback}", null)]
    [InlineData("$$", "$")]
    [InlineData("$${env:HOST}", "${env:HOST}")]
    [InlineData("^/health$", "^/health$")]
    [InlineData("${unclosed", "${unclosed")]
    [InlineData("${env:DOLLARS}", "pa$$word${HOST}")]
    [InlineData("${env:TOKEN}", "Bearer: {abc}")]
    public void Expand_Scalar_ReadsAsText(string yaml, string? expected)
    {
        ConfigurationSection section = Expand("key: " + yaml, out ConfigurationErrors errors);

        Assert.Equal(expected, section.String("key"));
        Assert.Empty(errors.All);
    }

    [Fact]
    public void Expand_WholeValue_TakesTheTypeOfItsText()
    {
        ConfigurationSection section = Expand(
            "port: ${env:PORT}\nquoted: \"${env:PORT}\"\nflag: ${env:TRUE}\nwait: ${env:WAIT}\nlist: ${env:LIST}\nempty: ${env:EMPTY}",
            out ConfigurationErrors errors);

        Assert.Equal(5317, section.Int64("port", 0));
        Assert.Equal(5317, section.Int64("quoted", 0));
        Assert.True(section.Bool("flag", false));
        Assert.Equal(TimeSpan.FromMilliseconds(750), section.Duration("wait", default));
        Assert.Equal(["otlp"], section.Strings("list"));
        Assert.Equal(7, section.Int64("empty", 7));
        Assert.Empty(errors.All);
    }

    [Fact]
    public void Expand_PartOfAValue_IsAString()
    {
        ConfigurationSection section = Expand("port: 1${env:PORT}", out ConfigurationErrors errors);

        section.Int64("port", 0);

        Assert.Equal(
            "line 1: port: must be an integer, found the string '15317'; write a whole number without quotes",
            Assert.Single(errors.All).ToString());
    }

    [Fact]
    public void Expand_ListFromAVariable_KeepsTheLineOfTheReference()
    {
        ConfigurationSection section = Expand("a: 1\nb: 2\nlist: ${env:NUMBERS}", out ConfigurationErrors errors, _ => "[1, 2]");

        section.Strings("list");

        Assert.Equal([3, 3], errors.All.Select(e => e.Line));
    }

    [Theory]
    [InlineData("${env:MISSING}", "the environment variable MISSING is not set; set it, or give a default: ${env:MISSING:-default}")]
    [InlineData("x${MISSING}", "the environment variable MISSING is not set; set it, or give a default: ${env:MISSING:-default}")]
    [InlineData("${file:/x}", "'file' in '${file:/x}' is not a known source" + WriteEnv)]
    [InlineData("${env:}", "'' is not a variable name" + WriteEnv)]
    [InlineData("${1}", "'1' is not a variable name" + WriteEnv)]
    public void Expand_WrongReference_IsAnErrorWithPathAndLine(string yaml, string problem)
    {
        Expand("a:\n  - b: " + yaml, out ConfigurationErrors errors);

        Assert.Equal("line 2: a[0].b: " + problem, Assert.Single(errors.All).ToString());
    }

    [Fact]
    public void Expand_AliasedBlock_IsExpandedOnce()
    {
        ConfigurationSection section = Expand("a: &x {v: '$$$$'}\nb: *x", out _);

        Assert.Equal("$$", section.Section("a")!.String("v"));
        Assert.Equal("$$", section.Section("b")!.String("v"));
    }

    [Fact]
    public void Expand_MergeKey_AddsWhatIsNotThere()
    {
        ConfigurationSection section = Expand(
            "a: &x {one: 1, two: 2}\nb: &y {<<: *x, two: 22, three: 3}\nc: {<<: [*y], four: 4}", out ConfigurationErrors errors);

        ConfigurationSection c = section.Section("c")!;
        Assert.Equal([1, 22, 3, 4], new[] { "one", "two", "three", "four" }.Select(k => c.Int64(k, 0)));
        c.RejectUnknown();
        Assert.Empty(errors.All);
    }

    [Fact]
    public void Expand_MergeKeyWithoutAMapping_IsAnError()
    {
        Expand("a:\n  <<: 1", out ConfigurationErrors errors);

        Assert.Equal(
            "line 2: a: '<<' must name a mapping; write '<<: *anchor' where the anchor marks a mapping",
            Assert.Single(errors.All).ToString());
    }

    private static ConfigurationSection Expand(string yaml, out ConfigurationErrors errors, Func<string, string?>? environment = null)
    {
        errors = new ConfigurationErrors();
        return ConfigurationSection.Parse(yaml, errors, new EnvironmentExpansion(environment ?? TestFiles.Variable, errors).Expand)!;
    }
}
