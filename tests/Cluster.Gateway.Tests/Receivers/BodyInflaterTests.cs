using System.Buffers;
using Cluster.Gateway.Receivers;

namespace Cluster.Gateway.Tests.Receivers;

public sealed class BodyInflaterTests
{
    private static readonly byte[] Text = [.. Enumerable.Range(0, 60_000).Select(i => (byte)"resource scope span "[i % 20])];
    private static readonly byte[] Noise = Bytes.Noise(60_000);

    public static TheoryData<string, int> Cases => new()
    {
        { "gzip", 0 }, { "gzip", 1 }, { "zlib", 0 }, { "zlib", 1 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Inflate_WholeBody_GivesItBack(string kind, int which)
    {
        byte[] plain = which == 0 ? Text : Noise;

        Assert.Equal((BodyFault.None, 0), Inflate(Compress(kind, plain), kind, plain.Length, plain));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Inflate_CutAnywhereNearTheEnd_IsBad(string kind, int which)
    {
        byte[] compressed = Compress(kind, which == 0 ? Text : Noise);

        for (int cut = 1; cut <= 20; cut++)
        {
            Assert.Equal((BodyFault.BadCompression, 0), Inflate(compressed[..^cut], kind, 1 << 20));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Inflate_BytesAfterTheEnd_IsBad(string kind, int which)
    {
        byte[] compressed = Compress(kind, which == 0 ? Text : Noise);

        for (int more = 1; more <= 20; more++)
        {
            Assert.Equal((BodyFault.BadCompression, 0), Inflate([.. compressed, .. Bytes.Noise(more, seed: more)], kind, 1 << 20));
        }

        Assert.Equal((BodyFault.BadCompression, 0), Inflate([.. compressed, .. Bytes.Noise(20_000)], kind, 1 << 20));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Inflate_AnyByteChanged_IsBadOrTheSame(string kind, int which)
    {
        byte[] plain = which == 0 ? Text : Noise[..2000];
        byte[] compressed = Compress(kind, plain);

        for (int i = 0; i < Math.Min(compressed.Length, 400); i++)
        {
            byte[] changed = [.. compressed];
            changed[^(i + 1)] ^= 0x41;
            (BodyFault fault, _) = Inflate(changed, kind, 1 << 20, plain);
            Assert.True(fault is BodyFault.BadCompression or BodyFault.None, $"byte {i} from the end: {fault}");
        }
    }

    [Fact]
    public void Inflate_SeveralGzipMembers_GivesAllOfThem()
    {
        byte[] compressed = [.. Bytes.Gzip(Text), .. Bytes.Gzip(Noise), .. Bytes.Gzip(Text.AsSpan(0, 100))];

        Assert.Equal((BodyFault.None, 0), Inflate(compressed, "gzip", 1 << 20, [.. Text, .. Noise, .. Text[..100]]));
        Assert.Equal((BodyFault.BadCompression, 0), Inflate(compressed[..^3], "gzip", 1 << 20));
        Assert.Equal((BodyFault.BadCompression, 0), Inflate([.. compressed, 1, 2, 3], "gzip", 1 << 20));
    }

    [Fact]
    public void Inflate_SeveralZlibStreams_IsBad()
    {
        Assert.Equal((BodyFault.BadCompression, 0), Inflate([.. Bytes.Zlib(Text), .. Bytes.Zlib(Text)], "zlib", 1 << 20));
    }

    [Theory]
    [InlineData("gzip", -1, BodyFault.TooLarge)]
    [InlineData("gzip", 0, BodyFault.None)]
    [InlineData("gzip", 1, BodyFault.None)]
    [InlineData("zlib", -1, BodyFault.TooLarge)]
    [InlineData("zlib", 0, BodyFault.None)]
    [InlineData("zlib", 1, BodyFault.None)]
    public void Inflate_AroundTheLimit_IsTakenUpToIt(string kind, int room, object fault)
    {
        Assert.Equal(((BodyFault)fault, 0), Inflate(Compress(kind, Text), kind, Text.Length + room));
        Assert.Equal(((BodyFault)fault, 0), Inflate(Compress(kind, Noise), kind, Noise.Length + room));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zlib")]
    public void Inflate_NoiseOrNothing_IsBad(string kind)
    {
        Assert.Equal((BodyFault.BadCompression, 0), Inflate([], kind, 1 << 20));
        Assert.Equal((BodyFault.BadCompression, 0), Inflate(new byte[100], kind, 1 << 20));
        for (int seed = 0; seed < 200; seed++)
        {
            Assert.Equal((BodyFault.BadCompression, 0), Inflate(Bytes.Noise(seed * 3, seed), kind, 1 << 20));
        }
    }

    /// <summary>The fault, and the bytes still charged after everything was given back.</summary>
    private static (BodyFault Fault, long Held) Inflate(byte[] compressed, string kind, int limit, byte[]? expected = null)
    {
        InFlightBytes inFlight = new(16 << 20);
        BodyFault fault;
        using (RequestBuffer input = new(inFlight))
        using (RequestBuffer output = new(inFlight))
        {
            Assert.True(compressed.Length == 0 || input.TryAppend(new ReadOnlySequence<byte>(compressed), compressed.Length));
            fault = BodyInflater.Inflate(input, kind == "gzip" ? Compression.Gzip : Compression.Zlib, limit, output);
            if (expected is not null && fault == BodyFault.None)
            {
                Assert.Equal(expected, output.Memory.ToArray());
            }
        }

        return (fault, inFlight.Held);
    }

    private static byte[] Compress(string kind, byte[] bytes) => kind == "gzip" ? Bytes.Gzip(bytes) : Bytes.Zlib(bytes);
}
