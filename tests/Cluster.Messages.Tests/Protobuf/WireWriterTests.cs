using Cluster.Messages.Protobuf;
using Google.Protobuf;

namespace Cluster.Messages.Tests.Protobuf;

public sealed class WireWriterTests
{
    public static TheoryData<ulong> Edges()
    {
        TheoryData<ulong> edges = [0, ulong.MaxValue];
        for (int bits = 0; bits < 64; bits++)
        {
            edges.Add(1UL << bits);
            edges.Add((1UL << bits) - 1);
        }

        return edges;
    }

    [Theory]
    [MemberData(nameof(Edges))]
    public void WriteVarint_Edges_AreWhatCodedOutputStreamWrites(ulong value)
    {
        byte[] buffer = new byte[12];

        int end = WireWriter.WriteVarint(buffer, 1, value);

        Assert.Equal(1 + CodedOutputStream.ComputeUInt64Size(value), end);
        Assert.Equal(end - 1, WireWriter.VarintSize(value));
        using CodedInputStream oracle = new(buffer, 1, end - 1);
        Assert.Equal(value, oracle.ReadUInt64());
        Assert.True(oracle.IsAtEnd);
    }

    [Fact]
    public void WriteFields_EachKind_AreWhatCodedOutputStreamWrites()
    {
        byte[] expected = new byte[64];
        CodedOutputStream oracle = new(expected);
        oracle.WriteTag(1, WireFormat.WireType.Varint);
        oracle.WriteUInt64(300);
        oracle.WriteTag(16, WireFormat.WireType.Fixed64);
        oracle.WriteFixed64(0x0102030405060708);
        oracle.WriteTag(536_870_911, WireFormat.WireType.Fixed32);
        oracle.WriteFixed32(0xFFFEFDFC);
        oracle.WriteTag(2, WireFormat.WireType.LengthDelimited);
        oracle.WriteString("text");

        byte[] actual = new byte[64];
        int position = WireWriter.WriteVarintField(actual, 0, 1, 300);
        position = WireWriter.WriteFixed64Field(actual, position, 16, 0x0102030405060708);
        position = WireWriter.WriteFixed32Field(actual, position, 536_870_911, 0xFFFEFDFC);
        position = WireWriter.WriteBytes(actual, position, 2, "text"u8);

        Assert.Equal(oracle.Position, position);
        Assert.Equal(expected, actual);
        Assert.Equal(6, WireWriter.LengthDelimitedSize("text".Length));
    }

    [Fact]
    public void Write_TooLittleRoom_Throws()
    {
        Assert.Throws<IndexOutOfRangeException>(() => WireWriter.WriteVarint(new byte[1], 0, 128));
        Assert.Throws<ArgumentOutOfRangeException>(() => WireWriter.WriteFixed64Field(new byte[8], 0, 1, 1));
        Assert.Throws<ArgumentException>(() => WireWriter.WriteBytes(new byte[3], 0, 1, [1, 2]));
    }
}
