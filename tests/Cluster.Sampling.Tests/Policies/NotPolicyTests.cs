namespace Cluster.Sampling.Tests.Policies;

public sealed class NotPolicyTests
{
    [Fact]
    public void Matches_Inner_IsInverted()
    {
        TraceTester tester = TraceTester.Policy("not, not: {not_sub_policy: {name: x, type: span_count, span_count: {min_spans: 5}}}");
        Assert.True(tester.Spans(4).Keeps());
        Assert.Equal("not: 4 spans < min_spans 5", tester.Reason());
        Assert.False(tester.Spans(1).Keeps());
        Assert.Equal("not: 5 spans >= min_spans 5", tester.Reason());
    }

    [Fact]
    public void Matches_LimiterInside_KeepsWhatIsBeyondTheRate()
    {
        TraceTester tester = TraceTester.Policy("not, not: {not_sub_policy: {name: x, type: rate_limiting, rate_limiting: "
            + "{spans_per_second: 10}}}");
        Assert.False(tester.Spans(15).Keeps());
        Assert.True(tester.Keeps());
        Assert.True(tester.Keeps());
        tester.Now += 1000;
        Assert.False(tester.Keeps());
        Assert.True(tester.Keeps());
    }
}
