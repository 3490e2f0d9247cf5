namespace Cluster.Sampling.Tests.Policies;

public sealed class BytesLimitingPolicyTests
{
    [Theory]
    [InlineData("bytes_per_second: 1000", 2000, true)]
    [InlineData("bytes_per_second: 1000", 2001, false)]
    [InlineData("bytes_per_second: 1000, burst_capacity: 500", 500, true)]
    [InlineData("bytes_per_second: 1000, burst_capacity: 500", 501, false)]
    public void Matches_FullBucket_UpToItsBurst(string block, long bytes, bool keeps)
    {
        TraceTester tester = TraceTester.Policy($"bytes_limiting, bytes_limiting: {{{block}}}").Spans(1, bytes);
        Assert.Equal(keeps, tester.Keeps());
    }

    [Fact]
    public void Matches_BurstUsed_RefillsWithTime()
    {
        TraceTester tester = TraceTester.Policy("bytes_limiting, bytes_limiting: {bytes_per_second: 1000}").Spans(1, 2000);
        Assert.True(tester.Keeps());
        tester.Now += 1999;
        Assert.False(tester.Keeps());
        Assert.Equal("2000 bytes beyond what is left of bytes_per_second 1000, burst_capacity 2000", tester.Reason());
        tester.Now += 1;
        Assert.True(tester.Keeps());
    }
}
