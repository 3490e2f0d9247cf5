namespace Cluster.Sampling.Tests.Policies;

public sealed class LatencyPolicyTests
{
    [Theory]
    [InlineData("threshold_ms: 500", 499_999_999, false)]
    [InlineData("threshold_ms: 500", 500_000_000, true)]
    [InlineData("threshold_ms: 500, upper_threshold_ms: 1000", 500_000_000, false)]
    [InlineData("threshold_ms: 500, upper_threshold_ms: 1000", 501_000_000, true)]
    [InlineData("threshold_ms: 500, upper_threshold_ms: 1000", 1_000_999_999, true)]
    [InlineData("threshold_ms: 500, upper_threshold_ms: 1000", 1_001_000_000, false)]
    [InlineData("threshold_ms: 0", 0, true)]
    [InlineData("threshold_ms: 0", -400_000, true)]
    [InlineData("threshold_ms: 0", -5_000_000, false)]
    [InlineData("threshold_ms: -5", -5_000_000, true)]
    [InlineData("threshold_ms: 5, upper_threshold_ms: -1", 6_000_000, false)]
    [InlineData("threshold_ms: -10, upper_threshold_ms: -1", -5_000_000, true)]
    public void Matches_Duration_ComparesWholeMilliseconds(string block, long nanoseconds, bool keeps) =>
        Assert.Equal(keeps, TraceTester.Policy($"latency, latency: {{{block}}}").Duration(nanoseconds).Keeps());

    [Fact]
    public void Matches_SpansFarApart_CountsTheGap()
    {
        TraceTester tester = TraceTester.Policy("latency, latency: {threshold_ms: 10}");
        tester.Span(s => s.Times(1_000_000_000, 1_001_000_000)).Span(s => s.Times(1_009_000_000, 1_010_000_000));
        Assert.True(tester.Keeps());
        Assert.Equal("duration 10 ms >= threshold_ms 10", tester.Reason());
    }

    [Fact]
    public void Matches_WindowPassedByLaterSpans_DoesNotKeep()
    {
        TraceTester tester = TraceTester.Policy("latency, latency: {threshold_ms: 10, upper_threshold_ms: 20}");
        tester.Duration(15_000_000).Duration(25_000_000);
        Assert.False(tester.Keeps());
        Assert.Equal("duration 25 ms > upper_threshold_ms 20", tester.Reason());
    }

    [Theory]
    [InlineData(9_223_372_036_854_775_808UL, 9_223_372_036_854_775_807UL, 9_223_372_036_854)]
    [InlineData(9_223_372_036_854_775_807UL, 9_223_372_036_854_775_808UL, -9_223_372_036_854)]
    [InlineData(1UL, ulong.MaxValue, 0)]
    public void DurationMilliseconds_DifferenceBeyond64Bits_IsTheLargest(ulong start, ulong end, long milliseconds)
    {
        Cluster.Sampling.Decisions.TraceEvidence evidence = new() { StartUnixNano = start, EndUnixNano = end };
        Assert.Equal(milliseconds, evidence.DurationMilliseconds);
    }
}
