namespace Cluster.Sampling.Tests.Policies;

public sealed class SpanCountPolicyTests
{
    [Theory]
    [InlineData("min_spans: 2", 1, false, "1 span < min_spans 2")]
    [InlineData("min_spans: 2", 2, true, "2 spans >= min_spans 2")]
    [InlineData("min_spans: 2, max_spans: 3", 3, true, "3 spans from min_spans 2 to max_spans 3")]
    [InlineData("min_spans: 2, max_spans: 3", 4, false, "4 spans > max_spans 3")]
    [InlineData("max_spans: 3", 1, true, "1 span from min_spans 0 to max_spans 3")]
    [InlineData("max_spans: -1", 1, false, "1 span > max_spans -1")]
    [InlineData("min_spans: 3, max_spans: 2", 3, false, "3 spans > max_spans 2")]
    public void Matches_Count_InsideInclusiveBounds(string block, int spans, bool keeps, string reason)
    {
        TraceTester tester = TraceTester.Policy($"span_count, span_count: {{{block}}}").Spans(spans);
        Assert.Equal(keeps, tester.Keeps());
        Assert.Equal(reason, tester.Reason());
    }
}
