using System.Text;
using Cluster.Messages.Transport;

namespace Cluster.Messages.Tests.Transport;

public sealed class PeerPacketTests
{
    /// <summary>Three messages: one of two parts, an empty one, a long one.</summary>
    private static readonly byte[] Whole = Packet();

    [Theory]
    [InlineData("", 0u)]
    [InlineData("123456789", 0xE3069283u)]
    [InlineData("The quick brown fox jumps over the lazy dog", 0x22620404u)]
    public void Checksum_KnownText_IsCrc32C(string text, uint expected) =>
        Assert.Equal(expected, Crc32C.Hash(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Checksum_ZeroesOfRfc3720_IsTheirs() => Assert.Equal(0x8A9136AAu, Crc32C.Hash(new byte[32]));

    [Fact]
    public void Checksum_AnyLength_IsThatOfABitAtATime()
    {
        Random random = new(1);
        byte[] bytes = new byte[10_000];
        random.NextBytes(bytes);
        foreach (int length in (int[])[0, 1, 7, 8, 9, 3071, 3072, 3073, 6143, 6144, 6151, 9216, 10_000])
        {
            uint crc = uint.MaxValue;
            foreach (byte b in bytes.AsSpan(0, length))
            {
                crc ^= b;
                for (int bit = 0; bit < 8; bit++)
                {
                    crc = (crc >> 1) ^ (0x82F63B78 & (0 - (crc & 1)));
                }
            }

            Assert.Equal(~crc, Crc32C.Hash(bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public void TryRead_WholePacket_GivesItsMessages()
    {
        Assert.True(PeerPacketFormat.IsIntact(Whole));
        PeerPacketReader reader = new(Whole.AsSpan(PeerPacketFormat.HeaderSize));
        Assert.True(reader.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload));
        Assert.Equal((PeerMessageKind.Replicate, 7, 5, ulong.MaxValue), (header.Kind, header.Shard, header.Length, header.Id));
        Assert.Equal([1, 2, 3, 4, 5], payload.ToArray());
        Assert.True(reader.TryRead(out header, out payload));
        Assert.Equal((PeerMessageKind.Delivered, 0, 0, 3ul), (header.Kind, header.Shard, header.Length, header.Id));
        Assert.True(payload.IsEmpty);
        Assert.True(reader.TryRead(out header, out payload));
        Assert.Equal((PeerMessageKind.Deliver, ushort.MaxValue, 300), (header.Kind, header.Shard, payload.Length));
        Assert.False(reader.TryRead(out _, out _));
        Assert.False(reader.IsMalformed);
        Assert.Equal(3, PeerPacketReader.Count(Whole.AsSpan(PeerPacketFormat.HeaderSize)));
    }

    [Fact]
    public void TryRead_NoMessages_IsWellFormed()
    {
        byte[] heartbeat = new byte[PeerPacketFormat.HeaderSize];
        PeerPacketFormat.WriteHeader(heartbeat);
        Assert.Equal(new byte[8], heartbeat);
        Assert.True(PeerPacketFormat.IsIntact(heartbeat));
        Assert.Equal(0, PeerPacketReader.Count([]));
    }

    [Fact]
    public void Count_AnyPrefix_OnlyAtTheEndOfAMessage()
    {
        ReadOnlySpan<byte> messages = Whole.AsSpan(PeerPacketFormat.HeaderSize);
        int[] ends = [0, 21, 37];
        for (int length = 0; length < messages.Length; length++)
        {
            Assert.Equal(Array.IndexOf(ends, length), PeerPacketReader.Count(messages[..length]));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MaxValue - 15)]
    [InlineData(338)]
    public void TryRead_LengthThatLeadsOutside_IsMalformed(int length)
    {
        byte[] messages = Whole[PeerPacketFormat.HeaderSize..];
        BitConverter.TryWriteBytes(messages.AsSpan(4), length);
        PeerPacketReader reader = new(messages);
        Assert.False(reader.TryRead(out _, out ReadOnlySpan<byte> payload));
        Assert.True(reader.IsMalformed);
        Assert.True(payload.IsEmpty);
        Assert.False(reader.TryRead(out _, out _));
    }

    [Fact]
    public void IsIntact_AnyBitFlipped_IsFalse()
    {
        for (int bit = 0; bit < Whole.Length * 8; bit++)
        {
            byte[] damaged = [.. Whole];
            damaged[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.False(PeerPacketFormat.IsIntact(damaged));
        }
    }

    [Fact]
    public void IsIntact_AnyOtherLength_IsFalse()
    {
        for (int length = 0; length < Whole.Length; length++)
        {
            Assert.False(PeerPacketFormat.IsIntact(Whole.AsSpan(0, length)));
        }

        Assert.False(PeerPacketFormat.IsIntact([.. Whole, 0]));
    }

    /// <summary>Messages stay inside the packet and do not overlap, whatever is in it.</summary>
    [Fact]
    public void TryRead_MutatedPackets_StaysInside()
    {
        Random random = new(1);
        for (int run = 0; run < 50_000; run++)
        {
            byte[] bytes = Mutation.Of(Whole[PeerPacketFormat.HeaderSize..], random);
            PeerPacketReader reader = new(bytes);
            int read = 0;
            while (reader.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload))
            {
                Assert.Equal(header.Length, payload.Length);
                Assert.True(payload.SequenceEqual(bytes.AsSpan(read + PeerMessageHeader.Size, payload.Length)));
                read += PeerMessageHeader.Size + payload.Length;
            }

            Assert.Equal(read != bytes.Length, reader.IsMalformed);
        }
    }

    [Fact]
    public void SizeOf_LongestPayloads_DoesNotOverflow() =>
        Assert.Equal(16L + 2L * int.MaxValue, PeerPacketWriter.SizeOf(int.MaxValue, int.MaxValue));

    private static byte[] Packet()
    {
        byte[] packet = new byte[PeerPacketFormat.HeaderSize + 21 + 16 + 316];
        int position = PeerPacketFormat.HeaderSize;
        position = PeerPacketWriter.Write(packet, position, PeerMessageKind.Replicate, 7, ulong.MaxValue, [1, 2, 3], [4, 5]);
        position = PeerPacketWriter.Write(packet, position, PeerMessageKind.Delivered, 0, 3, [], []);
        position = PeerPacketWriter.Write(packet, position, PeerMessageKind.Deliver, ushort.MaxValue, 4, new byte[300], []);
        Assert.Equal(packet.Length, position);
        PeerPacketFormat.WriteHeader(packet);
        return packet;
    }
}
