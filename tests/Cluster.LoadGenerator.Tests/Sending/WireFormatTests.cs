using System.Buffers.Binary;
using System.Text;
using Cluster.LoadGenerator.Sending;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Tests.Sending;

public sealed class WireFormatTests
{
    private static readonly RequestTemplate s_template = TraceWorkload.Draw(cells: 1).Cells[0].Requests[0];

    [Fact]
    public void Wrap_GrpcTemplate_PatchedAfterwardsIsTheSameAsPatchedBefore()
    {
        byte[] before = Patch(s_template);
        byte[] after = Patch(new GrpcFormat("localhost", compressed: false).Wrap(s_template));

        (byte[] message, int frames) = Unframe(after);

        Assert.Equal(0, message[0]);
        Assert.Equal(before.Length, BinaryPrimitives.ReadInt32BigEndian(message.AsSpan(1)));
        Assert.Equal(before, message[5..]);
        Assert.InRange(frames, (before.Length / 16384) + 1, (before.Length / 16384) + 2);
    }

    [Fact]
    public void Wrap_GrpcCompressed_KeepsBytesAndSaysSo()
    {
        byte[] packed = [.. Enumerable.Range(0, 40000).Select(i => (byte)i)];

        (byte[] message, int frames) = Unframe(new GrpcFormat("localhost", compressed: true).Wrap(packed, compressed: true));

        Assert.Equal(1, message[0]);
        Assert.Equal(packed, message[5..]);
        Assert.Equal(3, frames);
    }

    [Fact]
    public void Wrap_Http1Template_HeadSaysTheLength()
    {
        byte[] wrapped = Patch(new Http1Format("localhost:4318").Wrap(s_template));
        string text = Encoding.Latin1.GetString(wrapped);
        int body = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;

        Assert.Equal(Patch(s_template), wrapped[body..]);
        Assert.Contains($"\r\nContent-Length: {s_template.Bytes.Length}\r\n", text, StringComparison.Ordinal);
    }

    private static byte[] Patch(RequestTemplate template)
    {
        byte[] bytes = new byte[template.Bytes.Length];
        template.Write(bytes, seed: 5, firstTrace: 240, baseNano: 1_800_000_000_000_000_000);
        return bytes;
    }

    private static (byte[] Message, int Frames) Unframe(byte[] framed)
    {
        var message = new List<byte>();
        int frames = 0;
        for (int position = 0; position < framed.Length;)
        {
            int length = (int)(BinaryPrimitives.ReadUInt32BigEndian(framed.AsSpan(position)) >> 8);
            Assert.InRange(length, 1, 16384);
            if (position > 0)
            {
                Assert.Equal(GrpcFormat.Data, framed[position + 3]);
                Assert.Equal(position + 9 + length == framed.Length ? GrpcFormat.EndStream : 0, framed[position + 4]);
                message.AddRange(framed[(position + 9)..(position + 9 + length)]);
                frames++;
            }

            position += 9 + length;
        }

        return ([.. message], frames);
    }
}
