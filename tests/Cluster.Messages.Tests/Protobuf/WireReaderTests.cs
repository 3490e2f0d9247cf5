using Cluster.Messages.Protobuf;
using Cluster.Testing;
using Google.Protobuf;

namespace Cluster.Messages.Tests.Protobuf;

public sealed class WireReaderTests
{
    [Theory]
    [InlineData("00", 0)]
    [InlineData("7F", 127)]
    [InlineData("8001", 128)]
    [InlineData("808000", 0)]
    [InlineData("FFFFFFFF0F", uint.MaxValue)]
    [InlineData("FFFFFFFFFFFFFFFFFF01", ulong.MaxValue)]
    [InlineData("80808080808080808001", 1UL << 63)]
    public void TryReadVarint_WellFormed_IsRead(string hex, ulong expected)
    {
        byte[] bytes = [.. Convert.FromHexString(hex), 0xAA];
        WireReader reader = new(bytes);

        Assert.True(reader.TryReadVarint(out ulong value));

        Assert.Equal(expected, value);
        Assert.Equal(bytes.Length - 1, reader.Position);
        Assert.False(reader.AtEnd);
    }

    [Theory]
    [InlineData("", WireError.Truncated)]
    [InlineData("80", WireError.Truncated)]
    [InlineData("FFFFFFFFFFFFFFFFFF", WireError.Truncated)]
    [InlineData("FFFFFFFFFFFFFFFFFF02", WireError.VarintTooLong)]
    [InlineData("FFFFFFFFFFFFFFFFFFFF01", WireError.VarintTooLong)]
    public void TryReadVarint_Malformed_Fails(string hex, WireError expected)
    {
        WireReader reader = new(Convert.FromHexString(hex));

        Assert.False(reader.TryReadVarint(out _));

        Assert.Equal(expected, reader.Error);
        Assert.Equal(0, reader.Position);
        Assert.False(reader.AtEnd);
    }

    [Theory]
    [InlineData("08", 8u)]
    [InlineData("7D", 0x7Du)]
    [InlineData("8800", 8u)]
    [InlineData("8501", 0x85u)]
    [InlineData("FDFFFFFF0F", 0xFFFFFFFDu)]
    public void TryReadTag_WellFormed_IsRead(string hex, uint expected)
    {
        WireReader reader = new(Convert.FromHexString(hex));

        Assert.True(reader.TryReadTag(out uint tag));

        Assert.Equal(expected, tag);
        Assert.True(reader.AtEnd);
        Assert.False(reader.TryReadTag(out _));
        Assert.Equal(WireError.None, reader.Error);
    }

    [Theory]
    [InlineData("00", WireError.BadFieldNumber)]
    [InlineData("07", WireError.BadFieldNumber)]
    [InlineData("8080808010", WireError.BadFieldNumber)]
    [InlineData("0E", WireError.BadWireType)]
    [InlineData("0F", WireError.BadWireType)]
    [InlineData("8E01", WireError.BadWireType)]
    [InlineData("88", WireError.Truncated)]
    public void TryReadTag_Malformed_Fails(string hex, WireError expected)
    {
        WireReader reader = new(Convert.FromHexString(hex));

        Assert.False(reader.TryReadTag(out _));

        Assert.Equal(expected, reader.Error);
        Assert.Equal(0, reader.Position);
        Assert.False(reader.TryReadTag(out _));
    }

    [Fact]
    public void TryReadFixed_Bytes_AreLittleEndian()
    {
        WireReader reader = new([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);

        Assert.True(reader.TryReadFixed64(out ulong eight));
        Assert.True(reader.TryReadFixed32(out uint four));

        Assert.Equal(0x0807060504030201UL, eight);
        Assert.Equal(0x0C0B0A09u, four);
        Assert.False(reader.TryReadFixed32(out _));
        Assert.Equal((WireError.Truncated, 12), (reader.Error, reader.Position));
    }

    [Theory]
    [InlineData("03010203", 1, 3)]
    [InlineData("00", 1, 0)]
    [InlineData("8100FF", 2, 1)]
    public void TryReadLength_WellFormed_SaysWhere(string hex, int start, int length)
    {
        WireReader reader = new(Convert.FromHexString(hex));

        Assert.True(reader.TryReadLength(out int actualStart, out int actualLength));

        Assert.Equal((start, length), (actualStart, actualLength));
        Assert.True(reader.AtEnd);
    }

    [Theory]
    [InlineData("030102", WireError.Truncated)]
    [InlineData("", WireError.Truncated)]
    [InlineData("FFFFFFFF07", WireError.Truncated)]
    [InlineData("FFFFFFFFFFFFFFFFFF01", WireError.Truncated)]
    [InlineData("FFFFFFFFFFFFFFFFFF02", WireError.VarintTooLong)]
    public void TryReadBytes_Malformed_Fails(string hex, WireError expected)
    {
        WireReader reader = new(Convert.FromHexString(hex));

        Assert.False(reader.TryReadBytes(out ReadOnlySpan<byte> value));

        Assert.True(value.IsEmpty);
        Assert.Equal((expected, 0), (reader.Error, reader.Position));
    }

    [Theory]
    [InlineData("0B0C")]
    [InlineData("0B13140C")]
    [InlineData("0B0800110102030405060708150102030412030000000C")]
    [InlineData("0B8B0000", false, WireError.BadFieldNumber, 3)]
    [InlineData("0B14", false, WireError.UnmatchedGroup, 1)]
    [InlineData("0B130C", false, WireError.UnmatchedGroup, 2)]
    [InlineData("0B", false, WireError.Truncated, 1)]
    [InlineData("0B1205", false, WireError.Truncated, 2)]
    [InlineData("0C", false, WireError.UnmatchedGroup, 1)]
    public void TrySkip_Group_IsPassedOverWhole(string hex, bool expected = true, WireError error = WireError.None, int position = -1)
    {
        byte[] bytes = Convert.FromHexString(hex);
        WireReader reader = new(bytes);
        Assert.True(reader.TryReadTag(out uint tag));

        Assert.Equal(expected, reader.TrySkip(tag));

        Assert.Equal(error, reader.Error);
        Assert.Equal(position < 0 ? bytes.Length : position, reader.Position);
    }

    [Theory]
    [InlineData(WireReader.MaxGroupDepth, WireError.None)]
    [InlineData(WireReader.MaxGroupDepth + 1, WireError.TooDeep)]
    [InlineData(1_000_000, WireError.TooDeep)]
    public void TrySkip_NestedGroups_AreBounded(int depth, WireError expected)
    {
        byte[] bytes = [.. Enumerable.Repeat((byte)0x0B, depth), .. Enumerable.Repeat((byte)0x0C, depth)];
        WireReader reader = new(bytes);
        reader.TryReadTag(out uint tag);

        Assert.Equal(expected == WireError.None, reader.TrySkip(tag));

        Assert.Equal(expected, reader.Error);
    }

    [Fact]
    public void Walk_NoisyMessages_SeesTheFieldsThatCodedInputStreamSees()
    {
        for (int seed = 0; seed < 150; seed++)
        {
            byte[] bytes = RandomTraces.NoisyBytes(seed);

            Assert.Equal(OracleFields(bytes), Fields(bytes, out WireError error));
            Assert.Equal(WireError.None, error);
        }
    }

    [Fact]
    public void Walk_MutatedMessages_AcceptsNothingThatCodedInputStreamRefuses()
    {
        Random random = new(3);
        for (int seed = 0; seed < 150; seed++)
        {
            byte[] bytes = RandomTraces.NoisyBytes(seed, new RandomTracesSize { Traces = 1, SpansPerTrace = 1 });
            for (int mutations = 0; mutations < 30; mutations++)
            {
                byte[] mutant = Mutation.Of(bytes, random);
                List<(uint Tag, long End)> fields = Fields(mutant, out WireError error);
                if (error == WireError.None)
                {
                    Assert.Equal(OracleFields(mutant), fields);
                }
            }
        }
    }

    [Fact]
    public void Walk_RandomBytes_EndsAndNamesItsError()
    {
        Random random = new(4);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(40)];
            random.NextBytes(bytes);

            List<(uint Tag, long End)> fields = Fields(bytes, out WireError error);

            Assert.True(error != WireError.None || bytes.Length == 0 || fields[^1].End == bytes.Length);
        }
    }

    private static List<(uint Tag, long End)> Fields(byte[] bytes, out WireError error)
    {
        List<(uint, long)> fields = [];
        WireReader reader = new(bytes);
        while (reader.TryReadTag(out uint tag) && reader.TrySkip(tag))
        {
            fields.Add((tag, reader.Position));
        }

        error = reader.Error;
        Assert.Equal(error == WireError.None, reader.AtEnd);
        Assert.InRange(reader.Position, 0, bytes.Length);
        return fields;
    }

    private static List<(uint Tag, long End)> OracleFields(byte[] bytes)
    {
        List<(uint, long)> fields = [];
        using CodedInputStream stream = new(bytes);
        while (stream.ReadTag() is not 0 and var tag)
        {
            stream.SkipLastField();
            fields.Add((tag, stream.Position));
        }

        return fields;
    }
}
