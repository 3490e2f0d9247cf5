using Cluster.Messages.Identity;

namespace Cluster.Messages.Tests.Identity;

public sealed class SpanIdTests
{
    [Fact]
    public void Read_EightBytes_IsBigEndian()
    {
        SpanId id = SpanId.Read([0, 1, 2, 3, 4, 5, 6, 0xFF, 9]);

        Assert.Equal(0x00010203040506FFUL, id.Value);
        Assert.Equal("00010203040506ff", id.ToString());
        Assert.True(id.IsValid);
        Assert.False(default(SpanId).IsValid);
    }

    [Fact]
    public void Read_TooFewBytes_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => SpanId.Read(new byte[7]));
}
