using Cluster.Messages.Identity;
using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Tests.Policies;

public sealed class ProbabilisticPolicyTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 0)]
    [InlineData(100, ulong.MaxValue)]
    [InlineData(101, ulong.MaxValue)]
    [InlineData(50, 9223372036854775807)]
    [InlineData(25, 4611686018427387903)]
    [InlineData(12.5, 2305843009213693951)]
    [InlineData(10, 1844674407370955263)]
    [InlineData(1, 184467440737095519)]
    public void Threshold_Percentage_IsThatShareOfAllHashes(double percentage, ulong threshold) =>
        Assert.Equal(threshold, ProbabilisticPolicy.Threshold(percentage));

    [Theory]
    [InlineData(100, 10_000)]
    [InlineData(0, 0)]
    [InlineData(10, 1_000)]
    [InlineData(1, 100)]
    public void Matches_ManyTraces_KeepsAboutThatShare(double percentage, int expected)
    {
        TraceTester tester = TraceTester.Policy($"probabilistic, probabilistic: {{sampling_percentage: {percentage}}}");
        Random random = new(1);
        int kept = 0;
        for (int i = 0; i < 10_000; i++)
        {
            tester.TraceId = new TraceId((ulong)random.NextInt64(), (ulong)random.NextInt64());
            kept += tester.Keeps() ? 1 : 0;
        }

        Assert.InRange(kept, expected - expected / 5, expected + expected / 5);
    }

    [Fact]
    public void Matches_KnownTraceId_IsTheHashOfSaltAndId()
    {
        // FNV-1a 64 of "default-hash-seed" and bytes 1 to 16, computed bit by bit elsewhere.
        TraceTester tester = TraceTester.Policy("probabilistic, probabilistic: {sampling_percentage: 50}");
        Assert.Equal(Reference("default-hash-seed") <= ulong.MaxValue / 2, tester.Keeps());
        TraceTester salted = TraceTester.Policy("probabilistic, probabilistic: {sampling_percentage: 50, hash_salt: other}");
        Assert.Equal(Reference("other") <= ulong.MaxValue / 2, salted.Keeps());
    }

    private static ulong Reference(string salt)
    {
        UInt128 hash = 0xcbf29ce484222325;
        foreach (byte b in (byte[])[.. System.Text.Encoding.UTF8.GetBytes(salt), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
        {
            hash = (hash ^ b) * 0x100000001b3 % ((UInt128)1 << 64);
        }

        return (ulong)hash;
    }
}
