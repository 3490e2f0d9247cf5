namespace Cluster.Sampling.Tests.Policies;

public sealed class AndPolicyTests
{
    private const string Many = "{name: many, type: span_count, span_count: {min_spans: 5}}";
    private const string Error = "{name: error, type: status_code, status_code: {status_codes: [ERROR]}}";
    private const string Limit = "{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 10}}";
    private const string Bytes = "{name: bytes, type: bytes_limiting, bytes_limiting: {bytes_per_second: 10}}";

    [Theory]
    [InlineData(1, 0, false, "many: 1 span < min_spans 5")]
    [InlineData(5, 0, false, "error: no span has a status code in [ERROR]")]
    [InlineData(5, 2, true, "many: 5 spans >= min_spans 5; error: a span has status code ERROR")]
    [InlineData(1, 2, false, "many: 1 span < min_spans 5")]
    public void Matches_All_OrNot(int spans, int status, bool keeps, string reason)
    {
        TraceTester tester = And(Many, Error).Span(s => s.Status(status)).Spans(spans - 1);
        Assert.Equal(keeps, tester.Keeps());
        Assert.Equal(reason, tester.Reason());
    }

    [Theory]
    [InlineData("and")]
    [InlineData("and, and: {}")]
    [InlineData("and, and: {and_sub_policy: []}")]
    public void Matches_NoSubPolicies_KeepsAll(string policy) => Assert.True(TraceTester.Policy(policy).Span().Keeps());

    [Fact]
    public void Matches_NotInside_IsAllowed()
    {
        string not = $"{{name: no, type: not, not: {{not_sub_policy: {Error}}}}}";
        Assert.True(And(not).Span().Keeps());
        Assert.False(And(not).Span(s => s.Status(2)).Keeps());
    }

    [Theory]
    [InlineData($"{Limit}, {Many}")]
    [InlineData($"{Many}, {Limit}")]
    public void Matches_LimiterAndOtherFails_TakesNothing(string children)
    {
        TraceTester tester = And(children);
        Assert.False(tester.Spans(4).Keeps());
        Assert.True(tester.Another().Spans(20).Keeps());
        Assert.False(tester.Another().Spans(5).Keeps());
        Assert.Equal("limit: 5 spans beyond what is left of spans_per_second 10, burst_capacity 20", tester.Reason());
    }

    [Fact]
    public void Matches_SecondLimiterRefuses_FirstKeepsItsTokens()
    {
        TraceTester tester = And(Limit, Bytes);
        Assert.False(tester.Spans(20, 21).Keeps());
        Assert.True(tester.Another().Spans(20, 20).Keeps());
    }

    private static TraceTester And(params string[] children) =>
        TraceTester.Policy($"and, and: {{and_sub_policy: [{string.Join(", ", children)}]}}");
}
