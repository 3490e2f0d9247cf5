using Cluster.Messages.Identity;

namespace Cluster.Messages.Tests.Identity;

public sealed class TraceIdTests
{
    private const string Text = "5b8efff798038103d269b633813fc60c";

    [Fact]
    public void Read_SixteenBytes_IsBigEndian()
    {
        TraceId id = TraceId.Read(Convert.FromHexString(Text));

        Assert.Equal(new TraceId(0x5b8efff798038103, 0xd269b633813fc60c), id);
        Assert.Equal(Text, id.ToString());
        byte[] bytes = new byte[17];
        id.Write(bytes);
        Assert.Equal(Text + "00", Convert.ToHexStringLower(bytes));
    }

    [Fact]
    public void ReadAndWrite_TooFewBytes_Throw()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => TraceId.Read(new byte[15]));
        Assert.Throws<ArgumentOutOfRangeException>(() => TraceId.Read(new byte[7]));
        Assert.Throws<ArgumentOutOfRangeException>(() => default(TraceId).Write(new byte[15]));
    }

    [Theory]
    [InlineData("5b8efff798038103d269b633813fc60c", true)]
    [InlineData("5B8EFFF798038103D269B633813FC60C", true)]
    [InlineData("00000000000000000000000000000000", true)]
    [InlineData("5b8efff798038103d269b633813fc60", false)]
    [InlineData("5b8efff798038103d269b633813fc60c0", false)]
    [InlineData("5b8efff798038103d269b633813fc60g", false)]
    [InlineData(" b8efff798038103d269b633813fc60c", false)]
    [InlineData("0x8efff798038103d269b633813fc60c", false)]
    [InlineData("-b8efff798038103d269b633813fc60c", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void TryParse_Text_TakesExactly32HexDigits(string? text, bool expected)
    {
        Assert.Equal(expected, TraceId.TryParse(text, out TraceId id));
        Assert.Equal(expected ? text!.ToLowerInvariant() : default(TraceId).ToString(), id.ToString());
    }

    [Fact]
    public void IsValid_OnlyAllZero_IsFalse()
    {
        Assert.False(default(TraceId).IsValid);
        Assert.True(new TraceId(1, 0).IsValid);
        Assert.True(new TraceId(0, 1).IsValid);
    }

    // Shards are chosen by these numbers: on every node, before and after an upgrade.
    [Theory]
    [InlineData(0x0000000000000000UL, 0x0000000000000000UL, 0x0000000000000000UL, 0)]
    [InlineData(0x0000000000000000UL, 0x0000000000000001UL, 0x6cf101a36dc0ab9eUL, 30)]
    [InlineData(0x0000000000000001UL, 0x0000000000000000UL, 0x5692161d100b05e5UL, 101)]
    [InlineData(0x0000000000000001UL, 0x0000000000000001UL, 0x7b9dc7f61889b7f7UL, 119)]
    [InlineData(0x5b8efff798038103UL, 0xd269b633813fc60cUL, 0x3a7df183d5c94863UL, 99)]
    [InlineData(0xd269b633813fc60cUL, 0x5b8efff798038103UL, 0x3445ae17462fb4d7UL, 87)]
    [InlineData(0xffffffffffffffffUL, 0xffffffffffffffffUL, 0x99ddc2a133bb8540UL, 64)]
    [InlineData(0x0000000000000000UL, 0xffffffffffffffffUL, 0xe7b3529c540db3bbUL, 59)]
    public void Mix_Never_Changes(ulong high, ulong low, ulong expected, int shard)
    {
        TraceId id = new(high, low);

        Assert.Equal(expected, id.Mix());
        Assert.Equal(shard, id.Shard(128));
    }

    [Theory]
    [InlineData("random")]
    [InlineData("low counts")]
    [InlineData("high counts")]
    [InlineData("both count")]
    [InlineData("halves alike")]
    [InlineData("low counts in its upper bits")]
    [InlineData("64 bits only")]
    [InlineData("seconds first")]
    public void Shard_AnyPatternOfIds_IsSpreadEvenly(string pattern)
    {
        const int Shards = 128;
        const int Mean = 1000;
        Random random = new(42);
        int[] traces = new int[Shards];
        for (ulong i = 1; i <= Shards * Mean; i++)
        {
            TraceId id = pattern switch
            {
                "low counts" => new TraceId(0x5b8efff798038103, i),
                "high counts" => new TraceId(i, 7),
                "both count" => new TraceId(i, i),
                "halves alike" => new TraceId(i << 20, i << 20),
                "low counts in its upper bits" => new TraceId(0, i << 44),
                "64 bits only" => new TraceId(0, (ulong)random.NextInt64()),
                "seconds first" => new TraceId((1_767_225_600 + i / 1000) << 32 | (uint)random.Next(), (ulong)random.NextInt64()),
                _ => new TraceId((ulong)random.NextInt64(), (ulong)random.NextInt64()),
            };
            traces[id.Shard(Shards)]++;
        }

        // Chance alone gives a maximum of about 1.09 means (a thousand each, standard deviation 32).
        Assert.InRange(traces.Max(), Mean, Mean * 1.15);
        Assert.InRange(traces.Min(), Mean * 0.85, Mean);
    }
}
