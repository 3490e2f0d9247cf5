namespace Cluster.Sampling.Tests.Policies;

public sealed class AlwaysSamplePolicyTests
{
    [Fact]
    public void Matches_AnyTrace_Keeps()
    {
        Assert.True(TraceTester.Policy("always_sample").Keeps());
        Assert.True(TraceTester.Policy("always_sample, always_sample: {}").Span().Keeps());
        Assert.Equal("keeps every trace", TraceTester.Policy("always_sample").Reason());
    }
}
