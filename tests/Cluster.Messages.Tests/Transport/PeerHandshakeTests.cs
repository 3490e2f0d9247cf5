using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Messages.Tests.Transport;

public sealed class PeerHandshakeTests
{
    private static readonly PeerHandshake Sample = new(
        PeerPacketFormat.Version, "produktion-ü", new MemberId("a", 0x0102030405060708), new MemberId("b", ulong.MaxValue), 128, 64 << 20, "");

    [Fact]
    public void ToPacket_Always_IsWhatTheFormatSays() => Assert.Equal(
        "41435350010080000000000000040807060504030201FFFFFFFFFFFFFFFF0100610100620D0070726F64756B74696F6E2DC3BC0000",
        Convert.ToHexString(Sample.ToPacket().AsSpan(PeerPacketFormat.HeaderSize)));

    [Fact]
    public void TryRead_ItsOwnPacket_GivesTheSame()
    {
        byte[] packet = (Sample with { Problem = "this node is b/2" }).ToPacket();
        Assert.True(PeerPacketFormat.IsIntact(packet));
        Assert.True(PeerHandshake.TryRead(packet.AsSpan(8), out PeerHandshake? read));
        Assert.Equal(Sample with { Problem = "this node is b/2" }, read);
    }

    [Fact]
    public void TryRead_AnyPrefix_IsNone()
    {
        byte[] packet = Sample.ToPacket();
        for (int length = 8; length < packet.Length; length++)
        {
            Assert.False(PeerHandshake.TryRead(packet.AsSpan(8..length), out _));
        }

        Assert.False(PeerHandshake.TryRead([.. packet.AsSpan(8), 0], out _));
    }

    [Fact]
    public void TryRead_AnotherVersion_GivesItsVersionWhateverFollows()
    {
        Assert.True(PeerHandshake.TryRead([0x41, 0x43, 0x53, 0x50, 9, 0, 1, 2, 3], out PeerHandshake? read));
        Assert.Equal(9, read.Version);
    }

    [Fact]
    public void TryRead_ControlCharacters_AreReplaced()
    {
        byte[] packet = (Sample with { Problem = "no\r\n2026-01-01 fatal: \u001b[31m" }).ToPacket();
        Assert.True(PeerHandshake.TryRead(packet.AsSpan(8), out PeerHandshake? read));
        Assert.Equal("no??2026-01-01 fatal: ?[31m", read.Problem);
    }

    [Fact]
    public void ToPacket_LongProblem_IsCutOff()
    {
        byte[] packet = (Sample with { Problem = new string('ü', 1000) }).ToPacket();
        Assert.InRange(packet.Length, 0, PeerHandshake.MaxPacketSize);
        Assert.True(PeerHandshake.TryRead(packet.AsSpan(8), out PeerHandshake? read));
        Assert.Equal(new string('ü', 133), read.Problem);
    }

    [Fact]
    public void ToPacket_LongestTexts_Fit()
    {
        MemberId longest = new(new string('n', PeerHandshake.MaxTextBytes), 1);
        PeerHandshake handshake = Sample with
        {
            From = longest,
            To = longest,
            Cluster = new string('c', PeerHandshake.MaxTextBytes),
            Problem = new string('p', PeerHandshake.MaxTextBytes),
        };
        byte[] packet = handshake.ToPacket();
        Assert.InRange(packet.Length, 0, PeerHandshake.MaxPacketSize);
        Assert.True(PeerHandshake.TryRead(packet.AsSpan(8), out PeerHandshake? read));
        Assert.Equal(handshake, read);
    }

    [Fact]
    public void ToPacket_NameThatIsTooLong_Throws() => Assert.Throws<ArgumentException>(
        () => (Sample with { Cluster = new string('c', PeerHandshake.MaxTextBytes + 1) }).ToPacket());

    [Fact]
    public void TryRead_MutatedHandshakes_NeverThrows()
    {
        Random random = new(2);
        byte[] content = (Sample with { Problem = "because" }).ToPacket()[8..];
        for (int run = 0; run < 50_000; run++)
        {
            if (PeerHandshake.TryRead(Mutation.Of(content, random), out PeerHandshake? read) && read.Version == PeerPacketFormat.Version)
            {
                Assert.False(string.IsNullOrEmpty(read.From.Node) || string.IsNullOrEmpty(read.To.Node));
            }
        }
    }

    public static TheoryData<PeerHandshake, string?> Others()
    {
        PeerHandshake answer = Sample with { From = Sample.To, To = Sample.From, MaxMessageBytes = 5 };
        return new TheoryData<PeerHandshake, string?>
        {
            { answer, null },
            { answer with { Version = 2 }, "this node speaks protocol version 1, not 2: run the same release on all nodes" },
            { answer with { Cluster = "test" }, "this node belongs to cluster \"produktion-ü\", not \"test\" (cluster.name)" },
            { answer with { ShardCount = 64 }, "this cluster has 128 shards, not 64 (cluster.shards)" },
            { answer with { To = new MemberId("a", 9) }, "this node is a/0102030405060708, not a/0000000000000009" },
            { answer with { To = new MemberId("x", 1) }, "this node is a/0102030405060708, not x/0000000000000001" },
        };
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void ProblemWith_Another_SaysWhatDiffers(PeerHandshake other, string? expected) => Assert.Equal(expected, Sample.ProblemWith(other));
}
