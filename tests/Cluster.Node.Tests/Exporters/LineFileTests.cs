using System.Text;
using Cluster.Node.Exporters.Local;

namespace Cluster.Node.Tests.Exporters;

public sealed class LineFileTests
{
    [Fact]
    public void Append_WriteFailsHalfway_EndsWithTheLineBefore()
    {
        using HalfStream stream = new();
        using LineFile file = new(stream, device: false);
        file.Append("one\n"u8);
        stream.FailWrite = true;

        Assert.Throws<IOException>(() => file.Append("two two\n"u8));

        Assert.Equal("one\n", stream.Text);
        Assert.Equal(4, file.Length);
        file.Append("two\n"u8);
        Assert.Equal("one\ntwo\n", stream.Text);
    }

    [Fact]
    public void Append_HalfALineCouldNotBeCutOff_IsCutOffBeforeTheNext()
    {
        using HalfStream stream = new();
        using LineFile file = new(stream, device: false);
        file.Append("one\n"u8);
        stream.FailWrite = true;
        stream.FailSetLength = 2;
        Assert.Throws<IOException>(() => file.Append("two two\n"u8));
        Assert.Equal("one\ntwo ", stream.Text);

        Assert.Throws<IOException>(() => file.Append("3\n"u8));
        file.Append("3\n"u8);

        Assert.Equal("one\n3\n", stream.Text);
    }

    [Fact]
    public void Dispose_HalfALineCouldNotBeCutOff_IsCutOff()
    {
        using HalfStream stream = new();
        LineFile file = new(stream, device: false);
        stream.FailWrite = true;
        stream.FailSetLength = 1;
        Assert.Throws<IOException>(() => file.Append("one one\n"u8));
        Assert.Equal("one ", stream.Text);

        file.Dispose();

        Assert.Equal("", stream.Text);
    }

    /// <summary>Writes half of what it is given, when it is told to, and then says that there is no room.</summary>
    private sealed class HalfStream : MemoryStream
    {
        public bool FailWrite { get; set; }

        public int FailSetLength { get; set; }

        public string Text => Encoding.UTF8.GetString(ToArray());

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!FailWrite)
            {
                base.Write(buffer);
                return;
            }

            FailWrite = false;
            base.Write(buffer[..(buffer.Length / 2)]);
            throw new IOException("No space left on device");
        }

        public override void SetLength(long value)
        {
            if (FailSetLength > 0)
            {
                FailSetLength--;
                throw new IOException("Input/output error");
            }

            base.SetLength(value);
        }
    }
}
