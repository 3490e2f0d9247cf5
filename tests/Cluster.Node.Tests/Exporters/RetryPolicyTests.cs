using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Tests.Exporters;

public sealed class RetryPolicyTests
{
    private static readonly RetryOptions Defaults = new();

    // Sample 0.5 is the middle of the jitter, 0 its lower end, 1 its upper end.
    [Theory]
    [InlineData(1, 0.5, 5_000)]
    [InlineData(1, 0.0, 2_500)]
    [InlineData(1, 1.0, 7_500)]
    [InlineData(2, 0.5, 7_500)]
    [InlineData(3, 0.5, 11_250)]
    [InlineData(4, 0.5, 16_875)]
    [InlineData(5, 0.5, 25_312.5)]
    [InlineData(6, 0.5, 30_000)]
    [InlineData(6, 1.0, 45_000)]
    [InlineData(1_000_000, 0.5, 30_000)]
    public void Next_DefaultOptions_GrowsToTheLargestInterval(int attempt, double sample, double milliseconds)
    {
        TimeSpan? delay = RetryPolicy.Next(Defaults, Failure(), attempt, TimeSpan.FromDays(30), sample);

        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), delay);
    }

    [Theory]
    [InlineData(1, 5_000)]
    [InlineData(60, 60_000)]
    [InlineData(86_400, 600_000)]
    public void Next_ReceiverAsksToWait_IsNoSoonerUpToALimit(int askedSeconds, double milliseconds)
    {
        TimeSpan? delay = RetryPolicy.Next(Defaults, Failure(TimeSpan.FromSeconds(askedSeconds)), 1, TimeSpan.Zero, 0.5);

        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), delay);
    }

    [Theory]
    [InlineData(54, 5_000)]
    [InlineData(55, 5_000)]
    [InlineData(56, null)]
    public void Next_MaxElapsedTime_GivesUpWhenTheNextAttemptWouldBeLater(int elapsedSeconds, int? milliseconds)
    {
        RetryOptions options = Defaults with { MaxElapsedTime = TimeSpan.FromMinutes(1) };

        TimeSpan? delay = RetryPolicy.Next(options, Failure(), 1, TimeSpan.FromSeconds(elapsedSeconds), 0.5);

        Assert.Equal(milliseconds is { } ms ? TimeSpan.FromMilliseconds(ms) : null, delay);
    }

    [Fact]
    public void Next_Disabled_GivesUp() =>
        Assert.Null(RetryPolicy.Next(Defaults with { Enabled = false }, Failure(), 1, TimeSpan.Zero, 0.5));

    [Fact]
    public void Next_PermanentOutcome_GivesUp() =>
        Assert.Null(RetryPolicy.Next(Defaults, new ExportOutcome(ExportVerdict.Rejected), 1, TimeSpan.Zero, 0.5));

    [Fact]
    public void Next_ZeroIntervals_IsZero()
    {
        RetryOptions options = Defaults with { InitialInterval = TimeSpan.Zero, Multiplier = 0 };

        Assert.Equal(TimeSpan.Zero, RetryPolicy.Next(options, Failure(), 50, TimeSpan.Zero, 1));
    }

    [Fact]
    public void ForDrain_LongIntervals_AreCutDown()
    {
        RetryOptions drain = RetryPolicy.ForDrain(Defaults);

        Assert.Equal(TimeSpan.FromSeconds(1), RetryPolicy.Next(drain, Failure(), 9, TimeSpan.Zero, 0.5));
    }

    private static ExportOutcome Failure(TimeSpan? asked = null) => new(ExportVerdict.Retry, "unavailable", "down", asked);
}
