using Cluster.LoadGenerator.Sending;

namespace Cluster.LoadGenerator.Tests.Sending;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Milliseconds_OneToTenThousand_WithinABucketAbove()
    {
        var histogram = new LatencyHistogram();
        for (int i = 1; i <= 10_000; i++)
        {
            histogram.Record(TimeSpan.FromMicroseconds(i * 10));
        }

        Assert.InRange(histogram.Milliseconds(0.5), 50.0, 50.0 * 65 / 64);
        Assert.InRange(histogram.Milliseconds(0.99), 99.0, 99.0 * 65 / 64);
        Assert.Equal(100, histogram.Milliseconds(1));
        Assert.Equal(100_000, histogram.MaxMicroseconds);
    }

    [Fact]
    public void Add_Two_CountsBoth()
    {
        var a = new LatencyHistogram();
        var b = new LatencyHistogram();
        a.Record(TimeSpan.FromMicroseconds(5));
        b.Record(TimeSpan.FromDays(10));

        a.Add(b);

        Assert.Equal(2, a.Count);
        Assert.Equal(0.005, a.Milliseconds(0.5));
        Assert.Equal(864_000_000_000, a.MaxMicroseconds);
        Assert.Equal(0, new LatencyHistogram().Milliseconds(0.5));
    }
}
