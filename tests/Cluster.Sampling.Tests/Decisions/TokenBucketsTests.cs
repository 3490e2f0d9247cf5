using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Tests.Decisions;

public sealed class TokenBucketsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void TryTake_RandomDemand_NeverMoreThanRateAndBurst(int seed)
    {
        Random random = new(seed);
        double rate = seed switch { 1 => 1, 2 => 1000, 3 => 0.3, _ => 123.456 };
        double burst = random.Next(1, 500);
        TokenBuckets buckets = new([new Budget("b", rate, burst)]);
        long now = random.NextInt64(1L << 40);
        List<(long Time, long Amount)> taken = [];
        for (int i = 0; i < 3000; i++)
        {
            now += random.Next(4) == 0 ? random.Next(5000) : random.Next(3);
            long amount = random.Next(1, 40);
            if (buckets.TryTake(0, amount, now - random.Next(2)))
            {
                taken.Add((now, amount));
            }
        }

        for (int from = 0; from < taken.Count; from += 7)
        {
            long sum = 0;
            for (int to = from; to < taken.Count; to++)
            {
                sum += taken[to].Amount;
                Assert.True(sum <= rate * (taken[to].Time - taken[from].Time + 1) / 1000 + burst);
            }
        }
    }

    [Fact]
    public void TryTake_SteadyDemand_IsGrantedToTheToken()
    {
        TokenBuckets buckets = new([new Budget("b", 3, 1)]);
        long granted = 0;
        const long Seconds = 100_000;
        for (long now = 0; now <= Seconds * 1000; now += 100)
        {
            granted += buckets.TryTake(0, 1, now) ? 1 : 0;
        }

        // Full at first; three a second, every 333.3 ms, asked for every 100 ms with room for one: every 400 ms.
        Assert.Equal(1 + Seconds * 1000 / 400, granted);
    }

    [Fact]
    public void TryTake_ThirdsOfATokenPerMillisecond_DoNotDrift()
    {
        TokenBuckets buckets = new([new Budget("b", 333, 1000)]);
        Assert.True(buckets.TryTake(0, 1000, 0));
        for (int now = 1; now <= 1000; now++)
        {
            buckets.CanTake(0, 1, now);
        }

        Assert.True(buckets.TryTake(0, 333, 1000));
        Assert.False(buckets.CanTake(0, 1, 1000));
    }

    [Fact]
    public void CanTake_Asked_TakesNothing()
    {
        TokenBuckets buckets = new([new Budget("b", 1, 5)]);
        Assert.True(buckets.CanTake(0, 5, 0));
        Assert.True(buckets.TryTake(0, 5, 0));
        Assert.False(buckets.CanTake(0, 1, 0));
        Assert.True(buckets.CanTake(0, 0, 0));
    }

    [Fact]
    public void TryTake_TimeGoesBack_NeitherRefillsNorTakes()
    {
        TokenBuckets buckets = new([new Budget("b", 1000, 5)]);
        Assert.True(buckets.TryTake(0, 5, 1000));
        Assert.False(buckets.TryTake(0, 1, 500));
        Assert.True(buckets.TryTake(0, 1, 1001));
        Assert.False(buckets.TryTake(0, 1, 1001));
    }

    [Fact]
    public void TryTake_HugeNumbers_NeitherOverflowNorThrow()
    {
        TokenBuckets buckets = new([new Budget("b", long.MaxValue, long.MaxValue), new Budget("c", 0, 0)]);
        Assert.False(buckets.TryTake(0, long.MaxValue, long.MinValue + 1));
        Assert.True(buckets.TryTake(0, 1_000_000_000_000, long.MaxValue));
        Assert.False(buckets.TryTake(1, 1, long.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => buckets.TryTake(0, -1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => buckets.TryTake(2, 1, 0));
    }

    [Fact]
    public void TryTake_ManyThreads_GrantsExactlyTheBurst()
    {
        TokenBuckets buckets = new([new Budget("b", 1, 1000)]);
        int granted = 0;
        Parallel.For(0, 5000, _ => Interlocked.Add(ref granted, buckets.TryTake(0, 1, 0) ? 1 : 0));
        Assert.Equal(1000, granted);
    }
}
