using Cluster.Sampling.Configuration;

namespace Cluster.Sampling.Tests.Configuration;

public sealed class GoDurationTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("1s", 10_000_000)]
    [InlineData("1.5s", 15_000_000)]
    [InlineData("1m30s", 900_000_000)]
    [InlineData("-300ms", -3_000_000)]
    [InlineData("1h", 36_000_000_000)]
    [InlineData("250us", 2500)]
    [InlineData("250µs", 2500)]
    [InlineData("100ns", 1)]
    [InlineData(".5s", 5_000_000)]
    [InlineData("1.s", 10_000_000)]
    public void TryParse_GoText_IsRead(string text, long ticks)
    {
        Assert.True(GoDuration.TryParse(text, out TimeSpan value));
        Assert.Equal(ticks, value.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("1x")]
    [InlineData("1 s")]
    [InlineData(".s")]
    [InlineData("1..5s")]
    [InlineData("1s-")]
    [InlineData("99999999999h")]
    [InlineData("1d")]
    public void TryParse_SomethingElse_IsRefused(string text) => Assert.False(GoDuration.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(5_000_000, "500ms")]
    [InlineData(900_000_000, "1m30s")]
    [InlineData(-15_000_000, "-1.5s")]
    [InlineData(36_000_000_000, "1h")]
    public void Format_Duration_ReadsBack(long ticks, string text)
    {
        Assert.Equal(text, GoDuration.Format(new TimeSpan(ticks)));
        Assert.True(GoDuration.TryParse(text, out TimeSpan value));
        Assert.Equal(ticks, value.Ticks);
    }
}
