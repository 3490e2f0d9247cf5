using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Tests.Policies;

public sealed class CompositePolicyTests
{
    private const string Error = "{name: error, type: status_code, status_code: {status_codes: [ERROR]}}";
    private const string All = "{name: all, type: always_sample}";

    [Fact]
    public void Matches_ShareUsed_FallsThroughToTheNext()
    {
        TraceTester tester = Composite(100, "error, all", $"{Error}, {All}", "{policy: error, percent: 50}, {policy: all, percent: 50}");
        Assert.True(tester.Span(s => s.Status(2)).Spans(49).Keeps());
        Assert.True(tester.Keeps());
        Assert.False(tester.Keeps());
        Assert.Equal(
            "wanted by error (50/s), all (50/s), but 50 spans beyond what is left of their shares or of max_total_spans_per_second 100",
            tester.Reason());
        tester.Now += 1000;
        Assert.True(tester.Keeps());
    }

    [Fact]
    public void Matches_NoSubPolicyWantsIt_DoesNotKeep()
    {
        TraceTester tester = Composite(100, "error", Error, "{policy: error, percent: 100}").Span();
        Assert.False(tester.Keeps());
        Assert.Equal("no sub-policy wants it", tester.Reason());
    }

    [Fact]
    public void Matches_TraceAboveShare_NeverPasses()
    {
        TraceTester tester = Composite(100, "all", All, "{policy: all, percent: 25}");
        Assert.False(tester.Spans(26).Keeps());
        Assert.True(tester.Another().Spans(25).Keeps());
    }

    [Fact]
    public void Matches_SharesAboveTotal_TotalBounds()
    {
        TraceTester tester = Composite(100, "error, all", $"{Error}, {All}", "{policy: error, percent: 100}, {policy: all, percent: 100}");
        Assert.True(tester.Spans(80).Keeps());
        Assert.False(tester.Another().Span(s => s.Status(2)).Spans(20).Keeps());
        Assert.True(tester.Another().Span(s => s.Status(2)).Spans(19).Keeps());
        Assert.False(tester.Another().Spans(1).Keeps());
    }

    [Fact]
    public void Budgets_Unlisted_ShareTheRest()
    {
        PolicySet set = Composite(
            1000,
            "error, all",
            $"{Error}, {All}, {{name: more, type: always_sample}}",
            "{policy: error, percent: 30}").Set;
        Assert.Equal([("p", 1000.0), ("p/error", 300.0), ("p/rest", 700.0)], set.Budgets.Select(b => (b.Policy, b.PerSecond)));
        Assert.All(set.Budgets, b => Assert.Equal(b.PerSecond, b.Burst));
    }

    [Fact]
    public void Budgets_PercentZero_IsAnEvenPart()
    {
        PolicySet set = Composite(1000, "error, all", $"{Error}, {All}, {{name: x, type: always_sample}}", "{policy: error, "
            + "percent: 0}").Set;
        Assert.Equal([1000.0, 333.0, 667.0], set.Budgets.Select(b => b.PerSecond));
    }

    [Fact]
    public void Matches_PolicyOrder_IsFollowed()
    {
        // 'all' comes first by order, so an error draws on its share although 'error' has room.
        TraceTester tester = Composite(100, "all, error", $"{Error}, {All}", "{policy: error, percent: 10}, {policy: all, percent: 90}");
        Assert.True(tester.Span(s => s.Status(2)).Spans(9).Keeps());
        Assert.False(tester.Another().Spans(81).Keeps());
        Assert.True(tester.Another().Spans(80).Keeps());
        Assert.True(tester.Another().Span(s => s.Status(2)).Spans(9).Keeps());
    }

    [Fact]
    public void Matches_AndWithLimiterInside_TakesFromAllOrNone()
    {
        const string Limited =
            "{name: few, type: and, and: {and_sub_policy: [{name: l, type: rate_limiting, rate_limiting: {spans_per_second: 5, "
            + "burst_capacity: 5}}]}}";
        TraceTester tester = Composite(100, "few", Limited, "{policy: few, percent: 100}");
        Assert.True(tester.Spans(5).Keeps());
        Assert.False(tester.Keeps());
        tester.Now += 1000;
        Assert.True(tester.Keeps());
        Assert.Equal(3, tester.Set.Budgets.Count);
    }

    [Theory]
    [InlineData("composite")]
    [InlineData("composite, composite: {max_total_spans_per_second: 100}")]
    [InlineData($"composite, composite: {{composite_sub_policy: [{All}], rate_allocation: [{{policy: all, percent: 100}}]}}")]
    public void Matches_BlockOrTotalMissing_KeepsNothing(string policy) => Assert.False(TraceTester.Policy(policy).Spans(1).Keeps());

    [Fact]
    public void Decide_AnotherPolicyKeeps_CompositeTakesNothing()
    {
        TraceTester tester = TraceTester.Parse(
            $"policies: [{{name: c, type: composite, composite: {{max_total_spans_per_second: 10, composite_sub_policy: "
            + $"[{All}]}}}}, {Error}]");
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("error", tester.Another().Span(s => s.Status(2)).Spans(9).Decider());
        }

        Assert.Equal("c", tester.Another().Spans(10).Decider());
        Assert.Equal("-", tester.Decider());
    }

    private static TraceTester Composite(long maximum, string order, string children, string allocation) => TraceTester.Policy(
        $"composite, composite: {{max_total_spans_per_second: {maximum}, policy_order: [{order}], "
        + $"composite_sub_policy: [{children}], rate_allocation: [{allocation}]}}");
}
