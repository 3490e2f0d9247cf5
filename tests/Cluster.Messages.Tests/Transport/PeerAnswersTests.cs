using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Messages.Tests.Transport;

public sealed class PeerAnswersTests
{
    [Fact]
    public void TryReadDelivered_EveryRefusal_ComesBack()
    {
        foreach (Refusal refusal in Enum.GetValues<Refusal>())
        {
            Assert.True(PeerAnswers.TryReadDelivered(PeerAnswers.Delivered(refusal), out Refusal read));
            Assert.Equal(refusal, read);
        }
    }

    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { 0, 0 })]
    [InlineData(new byte[] { 11 })]
    [InlineData(new byte[] { 255 })]
    public void TryReadDelivered_AnythingElse_IsNone(byte[] payload) => Assert.False(PeerAnswers.TryReadDelivered(payload, out _));

    [Fact]
    public void Delivered_ValuesOfRefusal_AreConsecutiveFromZero()
    {
        Refusal[] all = Enum.GetValues<Refusal>();
        Assert.Equal(Enumerable.Range(0, all.Length), all.Select(r => (int)r));
        Assert.Equal(Refusal.OwnerUnreachable, all[^1]);
    }

    [Fact]
    public void TryReadText_Utf8_IsRead()
    {
        Assert.True(PeerAnswers.TryReadText("/api/shards?x=ü"u8, 100, out string? text));
        Assert.Equal("/api/shards?x=ü", text);
    }

    [Fact]
    public void TryReadText_TooLongOrNotUtf8_IsNone()
    {
        Assert.True(PeerAnswers.TryReadText(new byte[10], 10, out _));
        Assert.False(PeerAnswers.TryReadText(new byte[11], 10, out _));
        Assert.False(PeerAnswers.TryReadText([0xC3], 10, out _));
    }
}
