using System.IO.Compression;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>Prepares bodies that are not just the runs, once a batch; further attempts send the same bytes.</summary>
internal static class BatchBody
{
    private const int GuessedGzipRatio = 4;
    private const int GuessedJsonGrowth = 2;

    /// <summary>The runs, compressed.</summary>
    public static PooledBuffer Gzip(ExportBatch batch)
    {
        PooledBuffer output = new((int)Math.Max(batch.Bytes / GuessedGzipRatio, 4096));
        try
        {
            using GZipStream gzip = new(new WriterStream(output), CompressionLevel.Fastest);
            foreach (TraceRun run in batch.Runs)
            {
                gzip.Write(run.Bytes.Span);
            }
        }
        catch
        {
            output.Dispose();
            throw;
        }

        return output;
    }

    /// <summary>The runs as one JSON document, perhaps compressed.</summary>
    /// <exception cref="FormatException">The bytes are no request.</exception>
    public static PooledBuffer Json(ExportBatch batch, bool compress)
    {
        // One document needs one message, so here, and only here, the runs are put together.
        using PooledBuffer request = new((int)batch.Bytes);
        foreach (TraceRun run in batch.Runs)
        {
            request.Write(run.Bytes.Span);
        }

        PooledBuffer json = new((int)Math.Min(batch.Bytes * GuessedJsonGrowth, Array.MaxLength));
        try
        {
            OtlpJson.WriteRequest(request.WrittenSpan, json);
            if (!compress)
            {
                return json;
            }

            PooledBuffer output = new(Math.Max(json.Length / GuessedGzipRatio, 4096));
            using (GZipStream gzip = new(new WriterStream(output), CompressionLevel.Fastest))
            {
                gzip.Write(json.WrittenSpan);
            }

            json.Dispose();
            return output;
        }
        catch
        {
            json.Dispose();
            throw;
        }
    }

    /// <summary>A stream that only writes, to a buffer.</summary>
    private sealed class WriterStream(PooledBuffer output) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => output.Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => output.Write(buffer);
    }
}
