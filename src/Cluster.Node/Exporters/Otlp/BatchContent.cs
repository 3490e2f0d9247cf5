using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>
/// A request body that is written from where the bytes already are: the runs of a batch, or its prepared body, with a gRPC prefix
/// if it needs one. Holds the batch while it writes, because a transport can still be writing after the call has failed.
/// </summary>
internal sealed class BatchContent : HttpContent
{
    /// <summary>Bytes of the prefix of a gRPC message: a compression flag and a length.</summary>
    public const int GrpcPrefixSize = 5;

    private readonly ExportBatch _batch;
    private readonly byte[] _prefix;
    private readonly long _bodyBytes;

    private BatchContent(ExportBatch batch, byte[] prefix, MediaTypeHeaderValue type)
    {
        _batch = batch;
        _prefix = prefix;
        _bodyBytes = batch.Body?.Length ?? batch.Bytes;
        Headers.ContentType = type;
    }

    /// <summary>Size of what is written, the prefix included.</summary>
    public long Length => _prefix.Length + _bodyBytes;

    /// <summary>The body of a gRPC call.</summary>
    public static BatchContent ForGrpc(ExportBatch batch, bool compressed, MediaTypeHeaderValue type)
    {
        byte[] prefix = new byte[GrpcPrefixSize];
        prefix[0] = compressed ? (byte)1 : (byte)0;
        BatchContent content = new(batch, prefix, type);
        BinaryPrimitives.WriteUInt32BigEndian(prefix.AsSpan(1), checked((uint)content._bodyBytes));
        return content;
    }

    /// <summary>The body of an HTTP request.</summary>
    public static BatchContent ForHttp(ExportBatch batch, MediaTypeHeaderValue type) => new(batch, [], type);

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long length)
    {
        // A gRPC request is a stream of messages: it has no length.
        length = Length;
        return _prefix.Length == 0;
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    /// <inheritdoc/>
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (!_batch.TryRetain())
        {
            throw new IOException("The batch was given up before it was written.");
        }

        try
        {
            if (_prefix.Length > 0)
            {
                await stream.WriteAsync(_prefix, cancellationToken);
            }

            if (_batch.Body is { } body)
            {
                await stream.WriteAsync(body.WrittenMemory, cancellationToken);
                return;
            }

            for (int i = 0; i < _batch.Count; i++)
            {
                await stream.WriteAsync(_batch[i].Bytes, cancellationToken);
            }
        }
        finally
        {
            _batch.Release();
        }
    }
}
