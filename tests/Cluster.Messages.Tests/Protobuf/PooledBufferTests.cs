using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Tests.Protobuf;

public sealed class PooledBufferTests
{
    [Fact]
    public void Write_MoreThanTheCapacity_GrowsAndKeepsWhatIsThere()
    {
        using PooledBuffer buffer = new(1);
        byte[] expected = new byte[100_000];
        new Random(1).NextBytes(expected);
        for (int i = 0; i < expected.Length; i += 1000)
        {
            buffer.Write(expected.AsSpan(i, 1000));
        }

        Assert.Equal(expected, buffer.WrittenSpan);
        Assert.Equal(expected, buffer.WrittenMemory.Span);
    }

    [Fact]
    public void GetSpan_AnyHint_HasThatRoomAndAtLeastOneByte()
    {
        using PooledBuffer buffer = new(0);

        Assert.NotEqual(0, buffer.GetSpan().Length);
        Assert.True(buffer.GetMemory(70_000).Length >= 70_000);
        buffer.Advance(70_000);
        Assert.NotEqual(0, buffer.GetSpan(0).Length);
        Assert.Equal(70_000, buffer.Length);
    }

    [Fact]
    public void AdvanceAndTruncate_OutOfRange_Throw()
    {
        using PooledBuffer buffer = new();
        buffer.Write([1, 2]);
        int room = buffer.GetSpan().Length;

        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Advance(room + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Advance(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Truncate(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Truncate(-1));
        buffer.Truncate(1);
        Assert.Equal([1], buffer.WrittenSpan.ToArray());
        buffer.Clear();
        Assert.Equal(0, buffer.Length);
    }

    [Fact]
    public void Dispose_Twice_DoesNothing()
    {
        PooledBuffer buffer = new();
        buffer.Write([1]);

        buffer.Dispose();
        buffer.Dispose();

        Assert.True(buffer.WrittenSpan.IsEmpty);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(16_383)]
    [InlineData(16_384)]
    [InlineData(2_097_152)]
    public void EndMessage_AnyLength_PutsItBeforeTheContent(int length)
    {
        byte[] content = new byte[length];
        new Random(length).NextBytes(content);
        using PooledBuffer buffer = new(1);
        buffer.Write([0xAA]);

        int outer = buffer.BeginMessage(16);
        int inner = buffer.BeginMessage(1);
        buffer.Write(content);
        buffer.EndMessage(inner);
        buffer.EndMessage(outer);

        WireReader reader = new(buffer.WrittenSpan[1..]);
        Assert.True(reader.TryReadTag(out uint tag));
        Assert.Equal(WireTag.LengthDelimited(16), tag);
        Assert.True(reader.TryReadBytes(out ReadOnlySpan<byte> nested));
        Assert.True(reader.AtEnd);
        Assert.Equal(WireWriter.LengthDelimitedSize(length), nested.Length);
        Assert.Equal(content, WireLookup.Bytes(nested, 1));
    }
}
