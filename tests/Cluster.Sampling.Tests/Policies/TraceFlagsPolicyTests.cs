namespace Cluster.Sampling.Tests.Policies;

public sealed class TraceFlagsPolicyTests
{
    [Theory]
    [InlineData(0u, false)]
    [InlineData(1u, true)]
    [InlineData(2u, false)]
    [InlineData(0x101u, true)]
    [InlineData(0x300u, false)]
    public void Matches_Flags_BySampledBit(uint flags, bool keeps) =>
        Assert.Equal(keeps, TraceTester.Policy("trace_flags").Span(s => s.Flags(flags)).Keeps());

    [Fact]
    public void Matches_FlagsTwice_LastCounts() =>
        Assert.False(TraceTester.Policy("trace_flags").Span(s => s.Flags(1).Flags(0)).Keeps());
}
