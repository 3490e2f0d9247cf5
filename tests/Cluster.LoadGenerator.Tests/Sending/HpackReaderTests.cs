using Cluster.LoadGenerator.Sending;

namespace Cluster.LoadGenerator.Tests.Sending;

public sealed class HpackReaderTests
{
    [Theory]
    [InlineData("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com")]
    [InlineData("a8eb10649cbf", "no-cache")]
    [InlineData("25a849e95ba97d7f", "custom-key")]
    [InlineData("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT")]
    public void Huffman_ExamplesOfRfc7541_Decode(string hex, string expected) =>
        Assert.Equal(expected, HpackReader.Huffman(Convert.FromHexString(hex)));

    [Fact]
    public void Read_TrailersOnly_FindsStatusMessageAndDelay()
    {
        var head = new ResponseHead { GrpcStatus = -1 };

        // Table size update 0, :status 200 indexed, then literals: one with an indexed name, three with new names.
        HpackReader.Read(
        [
            0x20, 0x88,
            0x0F, 0x10, 16, .. "application/grpc"u8,
            0x00, 11, .. "grpc-status"u8, 1, .. "8"u8,
            0x00, 12, .. "grpc-message"u8, 9, .. "too%20big"u8,
            0x00, 23, .. "grpc-status-details-bin"u8, (byte)ResponseMessagesTests.RetryIn1250Milliseconds.Length,
            .. System.Text.Encoding.ASCII.GetBytes(ResponseMessagesTests.RetryIn1250Milliseconds),
        ], ref head);

        Assert.Equal((200, 8, "too big"), (head.HttpStatus, head.GrpcStatus, head.GrpcMessage));
        Assert.Equal(TimeSpan.FromMilliseconds(1250), head.RetryAfter);
    }

    [Theory]
    [InlineData("c0")]
    [InlineData("00")]
    [InlineData("0005ab")]
    [InlineData("0f")]
    public void Read_MalformedBlock_Throws(string hex)
    {
        byte[] block = Convert.FromHexString(hex);

        Assert.Throws<InvalidDataException>(() =>
        {
            var head = new ResponseHead();
            HpackReader.Read(block, ref head);
        });
    }
}
