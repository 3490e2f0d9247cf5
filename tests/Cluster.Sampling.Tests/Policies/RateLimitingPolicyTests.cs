namespace Cluster.Sampling.Tests.Policies;

public sealed class RateLimitingPolicyTests
{
    [Fact]
    public void Matches_BurstUsed_RefillsWithTime()
    {
        TraceTester tester = TraceTester.Policy("rate_limiting, rate_limiting: {spans_per_second: 10}").Spans(20);
        Assert.True(tester.Keeps());
        Assert.Equal("20 spans within spans_per_second 10, burst_capacity 20", tester.Reason());
        tester.Another().Spans(1);
        Assert.False(tester.Keeps());
        tester.Now += 99;
        Assert.False(tester.Keeps());
        tester.Now += 1;
        Assert.True(tester.Keeps());
        Assert.False(tester.Keeps());
        Assert.Equal("1 span beyond what is left of spans_per_second 10, burst_capacity 20", tester.Reason());
    }

    [Theory]
    [InlineData("spans_per_second: 10, burst_capacity: 5", 5, true)]
    [InlineData("spans_per_second: 10, burst_capacity: 5", 6, false)]
    [InlineData("spans_per_second: 10, burst_capacity: 0", 20, true)]
    [InlineData("spans_per_second: 10, burst_capacity: -1", 20, true)]
    [InlineData("spans_per_second: 10", 21, false)]
    [InlineData("spans_per_second: 0", 1, false)]
    [InlineData("spans_per_second: -1", 1, false)]
    public void Matches_FullBucket_UpToItsBurst(string block, int spans, bool keeps) =>
        Assert.Equal(keeps, TraceTester.Policy($"rate_limiting, rate_limiting: {{{block}}}").Spans(spans).Keeps());

    [Fact]
    public void Matches_TraceTooLarge_TakesNothing()
    {
        TraceTester tester = TraceTester.Policy("rate_limiting, rate_limiting: {spans_per_second: 10}").Spans(21);
        Assert.False(tester.Keeps());
        Assert.True(tester.Another().Spans(20).Keeps());
    }
}
