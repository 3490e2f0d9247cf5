using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Tests.Decisions;

public sealed class PrecedenceTests
{
    private const string Always = "{name: all, type: always_sample}";
    private const string Never = "{name: never, type: span_count, span_count: {min_spans: 1000}}";
    private const string Limit = "{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 10}}";
    private const string Limit2 = "{name: limit2, type: rate_limiting, rate_limiting: {spans_per_second: 100}}";
    private const string Drop = "{name: drop, type: drop, drop: {drop_sub_policy: [{name: x, type: span_count, span_count: "
        + "{min_spans: 5}}]}}";

    [Theory]
    [InlineData(Never, 1, Decision.NotSampled, "-", "N")]
    [InlineData(Always, 1, Decision.Sampled, "all", "S")]
    [InlineData($"{Never}, {Always}", 1, Decision.Sampled, "all", "NS")]
    [InlineData($"{Always}, {Never}", 1, Decision.Sampled, "all", "SN")]
    [InlineData($"{Always}, {Drop}", 5, Decision.Dropped, "drop", "D-")]
    [InlineData($"{Always}, {Drop}", 4, Decision.Sampled, "all", "NS")]
    [InlineData($"{Limit}, {Always}", 1, Decision.Sampled, "all", "SS")]
    [InlineData($"{Limit}, {Never}", 20, Decision.Sampled, "limit", "SN")]
    [InlineData($"{Limit}, {Never}", 21, Decision.NotSampled, "-", "NN")]
    [InlineData($"{Limit}, {Limit2}", 21, Decision.Sampled, "limit2", "NS")]
    [InlineData($"{Limit}, {Limit2}", 20, Decision.Sampled, "limit", "SS")]
    public void Decide_Policies_ByPrecedence(string policies, int spans, Decision decision, string decider, string votes)
    {
        TraceTester tester = TraceTester.Parse($"policies: [{policies}]").Spans(spans);
        Verdict verdict = tester.Verdict();
        Assert.Equal(decision, verdict.Decision);
        Assert.Equal(decider, verdict.Policy < 0 ? "-" : tester.Set.Policies[verdict.Policy].Name);
        Assert.Equal(votes, Letters(tester.Votes));
    }

    [Theory]
    [InlineData($"{Always}, {Never}", 1, "all", "S-")]
    [InlineData($"{Never}, {Always}, {Limit}", 1, "all", "NS-")]
    [InlineData($"{Limit}, {Always}, {Never}", 1, "all", "SS-")]
    [InlineData($"{Limit}, {Never}, {Limit2}", 1, "limit", "S--")]
    [InlineData($"{Always}, {Drop}", 5, "drop", "D-")]
    public void Decide_SampleOnFirstMatch_AsksNobodyAfterIt(string policies, int spans, string decider, string votes)
    {
        TraceTester tester = TraceTester.Parse($"{{sample_on_first_match: true, policies: [{policies}]}}").Spans(spans);
        Assert.Equal(decider, tester.Decider());
        Assert.Equal(votes, Letters(tester.Votes));
    }

    [Fact]
    public void Decide_AnotherPolicyKeeps_TakesNothing()
    {
        TraceTester tester = TraceTester.Parse($"policies: [{Limit}, {{name: two, type: span_count, span_count: {{max_spans: 2, "
            + $"min_spans: 2}}}}]");
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal("two", tester.Another().Spans(2).Decider());
        }

        Assert.Equal("limit", tester.Another().Spans(20).Decider());
        Assert.Equal("-", tester.Another().Spans(1).Decider());
    }

    [Fact]
    public void Decide_FirstLimiterGrants_SecondKeepsItsTokens()
    {
        string second = Limit.Replace("limit,", "second,", StringComparison.Ordinal);
        TraceTester tester = TraceTester.Parse($"policies: [{Limit}, {second}]");
        Assert.Equal("limit", tester.Spans(20).Decider());
        Assert.Equal("second", tester.Decider());
        Assert.Equal("-", tester.Decider());
    }

    [Fact]
    public void Policies_DropAmongThem_StandFirst()
    {
        PolicySet set = TraceTester.Parse($"policies: [{Always}, {Drop}, {Never}]").Set;
        Assert.Equal(["drop", "all", "never"], set.Policies.Select(p => p.Name));
    }

    private static string Letters(Vote[] votes) => string.Concat(votes.Select(v => v switch
    {
        Vote.NotEvaluated => '-',
        Vote.NotSampled => 'N',
        Vote.Sampled => 'S',
        Vote.Dropped => 'D',
        _ => '?',
    }));
}
