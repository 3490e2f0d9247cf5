using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Tests.Policies;

public sealed class DropPolicyTests
{
    private const string All = "{name: all, type: always_sample}";
    private const string Health = "{name: health, type: string_attribute, string_attribute: {key: http.route, values: [/health]}}";
    private const string Few = "{name: few, type: span_count, span_count: {max_spans: 2}}";
    private const string Limit = "{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 10}}";

    [Theory]
    [InlineData("/health", 2, Decision.Dropped)]
    [InlineData("/health", 3, Decision.Sampled)]
    [InlineData("/shop", 2, Decision.Sampled)]
    public void Matches_AllSubPolicies_DropsWhateverOthersSay(string route, int spans, Decision decision) =>
        Assert.Equal(decision, Drop(Health, Few).Attribute("http.route", route).Spans(spans - 1).Decide());

    [Theory]
    [InlineData("")]
    [InlineData(", drop: {}")]
    [InlineData(", drop: {drop_sub_policy: []}")]
    public void Matches_NoSubPolicies_DropsAll(string block) =>
        Assert.Equal(Decision.Dropped, TraceTester.Parse($"policies: [{All}, {{name: drop, type: drop{block}}}]").Span().Decide());

    [Fact]
    public void Matches_NotLimiterInside_IsACap()
    {
        TraceTester tester = Drop($"{{name: over, type: not, not: {{not_sub_policy: {Limit}}}}}");
        Assert.Equal(Decision.Sampled, tester.Spans(15).Decide());
        Assert.Equal(Decision.Dropped, tester.Decide());
        tester.Now += 1000;
        Assert.Equal(Decision.Sampled, tester.Decide());
    }

    [Fact]
    public void Matches_LimiterInside_DropsUpToTheRate()
    {
        TraceTester tester = Drop(Limit, Few);
        Assert.Equal(Decision.Sampled, tester.Spans(20).Decide());
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(Decision.Dropped, tester.Another().Spans(2).Decide());
        }

        Assert.Equal(Decision.Sampled, tester.Decide());
    }

    [Fact]
    public void Reason_Dropped_NamesAllSubPolicies() =>
        Assert.Equal(
            "health: a span or resource has http.route in [/health]; few: 1 span from min_spans 0 to max_spans 2",
            Drop(Health, Few).Attribute("http.route", "/health").Reason());

    private static TraceTester Drop(params string[] children) =>
        TraceTester.Parse($"policies: [{All}, {{name: drop, type: drop, drop: {{drop_sub_policy: [{string.Join(", ", children)}]}}}}]");
}
