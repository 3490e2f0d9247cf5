using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;

namespace Cluster.Gateway.Receivers;

/// <summary>What keeps a body from being read.</summary>
internal enum BodyFault
{
    /// <summary>Nothing: the whole body is here.</summary>
    None = 0,

    /// <summary>Larger than the door's limit, as sent or inflated.</summary>
    TooLarge,

    /// <summary>Too many bytes in flight.</summary>
    InFlight,

    /// <summary>It did not come in time.</summary>
    TimedOut,

    /// <summary>The client went away.</summary>
    ClientGone,

    /// <summary>The HTTP framing is broken.</summary>
    BadHttp,

    /// <summary>Compressed data are damaged, cut short or followed by something else.</summary>
    BadCompression,

    /// <summary>gRPC: the call ended without a message.</summary>
    NoMessage,

    /// <summary>gRPC: the call ended inside the message.</summary>
    CutMessage,

    /// <summary>gRPC: something follows the one message of a unary call.</summary>
    SecondMessage,

    /// <summary>gRPC: the compressed flag is neither 0 nor 1.</summary>
    BadFlag,
}

/// <summary>
/// Reads one request body into one contiguous, pooled, charged buffer. Every piece is copied and given back to the transport at
/// once; memory grows with what really arrived, not with what was announced, so that a silent client holds next to nothing.
/// Not thread-safe; disposed by whoever made it, which ends the life of <see cref="Content"/>.
/// </summary>
internal sealed class RequestBodyReader(InFlightBytes inFlight, RequestDeadline deadline) : IDisposable
{
    // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: compressed flag, then the length, big-endian.
    private const int GrpcPrefix = 5;

    // Kestrel's words for a connection that ended inside a body. It tells this apart from broken chunks by nothing else.
    private const string UnexpectedEnd = "Unexpected end of request content.";

    private RequestBuffer _buffer = new(inFlight);

    /// <summary>The body; for gRPC, its message.</summary>
    public ReadOnlyMemory<byte> Content => _buffer.Memory;

    /// <summary>Body bytes that arrived, before inflation, without the gRPC prefix.</summary>
    public int ReceivedBytes { get; private set; }

    /// <summary>gRPC: the length that the message's prefix announced.</summary>
    public uint AnnouncedBytes { get; private set; }

    /// <summary>gRPC: the message is compressed as <c>grpc-encoding</c> says.</summary>
    public bool IsCompressed { get; private set; }

    /// <summary>Reads all of an HTTP body.</summary>
    /// <param name="reader">The body.</param>
    /// <param name="announced">Its <c>Content-Length</c>, if any.</param>
    /// <param name="limit">Largest body, in bytes.</param>
    public async ValueTask<BodyFault> ReadBodyAsync(PipeReader reader, long? announced, int limit)
    {
        if (announced > limit)
        {
            return BodyFault.TooLarge;
        }

        return await ReadAllAsync(reader, (int)(announced ?? limit), BodyFault.TooLarge);
    }

    /// <summary>Reads the one message of a unary gRPC call, to the end of the call.</summary>
    /// <param name="reader">The body.</param>
    /// <param name="limit">Largest message, in bytes.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<BodyFault> ReadMessageAsync(PipeReader reader, int limit)
    {
        while (true)
        {
            (ReadResult result, BodyFault fault) = await ReadSomeAsync(reader);
            if (fault != BodyFault.None)
            {
                return fault;
            }

            ReadOnlySequence<byte> bytes = result.Buffer;
            if (bytes.Length < GrpcPrefix)
            {
                fault = bytes.IsEmpty ? BodyFault.NoMessage : BodyFault.CutMessage;
                reader.AdvanceTo(bytes.Start, bytes.End);
                if (result.IsCompleted)
                {
                    return fault;
                }

                continue;
            }

            fault = ReadPrefix(bytes, limit);
            reader.AdvanceTo(bytes.GetPosition(GrpcPrefix));
            return fault == BodyFault.None ? await ReadAllAsync(reader, (int)AnnouncedBytes, BodyFault.SecondMessage) : fault;
        }
    }

    /// <summary>Replaces the content by what it inflates to.</summary>
    /// <param name="compression">How it is compressed.</param>
    /// <param name="limit">Largest result, in bytes.</param>
    public BodyFault Inflate(Compression compression, int limit)
    {
        RequestBuffer inflated = new(inFlight);
        BodyFault fault = BodyInflater.Inflate(_buffer, compression, limit, inflated);
        if (fault == BodyFault.None)
        {
            (_buffer, inflated) = (inflated, _buffer);
        }

        inflated.Dispose();
        return fault;
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private BodyFault ReadPrefix(in ReadOnlySequence<byte> bytes, int limit)
    {
        Span<byte> prefix = stackalloc byte[GrpcPrefix];
        bytes.Slice(0, GrpcPrefix).CopyTo(prefix);
        IsCompressed = prefix[0] == 1;
        AnnouncedBytes = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
        return prefix[0] > 1 ? BodyFault.BadFlag : AnnouncedBytes > (uint)limit ? BodyFault.TooLarge : BodyFault.None;
    }

    /// <summary>Copies until the body ends. More than <paramref name="expected"/> bytes are the fault <paramref name="ifMore"/>.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BodyFault> ReadAllAsync(PipeReader reader, int expected, BodyFault ifMore)
    {
        while (true)
        {
            (ReadResult result, BodyFault fault) = await ReadSomeAsync(reader);
            if (fault != BodyFault.None)
            {
                return fault;
            }

            ReadOnlySequence<byte> bytes = result.Buffer;
            if (_buffer.Length + bytes.Length > expected)
            {
                fault = ifMore;
            }
            else if (!bytes.IsEmpty && !_buffer.TryAppend(bytes, expected))
            {
                fault = BodyFault.InFlight;
            }

            reader.AdvanceTo(bytes.End);
            if (fault != BodyFault.None)
            {
                return fault;
            }

            if (result.IsCompleted)
            {
                ReceivedBytes = _buffer.Length;
                return ifMore == BodyFault.SecondMessage && ReceivedBytes < expected ? BodyFault.CutMessage : BodyFault.None;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<(ReadResult Result, BodyFault Fault)> ReadSomeAsync(PipeReader reader)
    {
        try
        {
            if (!reader.TryRead(out ReadResult result))
            {
                // Not by a token of the read's own: a read that is given up by one is still pending when the server wants to drain the body.
                using (deadline.ForBody().UnsafeRegister(static pending => ((PipeReader)pending!).CancelPendingRead(), reader))
                {
                    result = await reader.ReadAsync(CancellationToken.None);
                }
            }

            if (result.IsCanceled)
            {
                reader.AdvanceTo(result.Buffer.Start);
                return (default, BodyFault.TimedOut);
            }

            return (result, BodyFault.None);
        }
        catch (BadHttpRequestException e)
        {
            return (default, e.Message == UnexpectedEnd ? BodyFault.ClientGone : BodyFault.BadHttp);
        }
        catch (OperationCanceledException) when (deadline.IsOver)
        {
            return (default, BodyFault.TimedOut);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return (default, BodyFault.ClientGone);
        }
    }
}
