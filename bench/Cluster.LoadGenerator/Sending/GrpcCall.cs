namespace Cluster.LoadGenerator.Sending;

/// <summary>One unary call under way: a stream of a <see cref="GrpcConnection"/>.</summary>
/// <param name="stream">Its stream ID.</param>
/// <param name="attempt">What it carries.</param>
/// <param name="sendWindow">Bytes the peer takes before it must say that it takes more.</param>
internal struct GrpcCall(int stream, Attempt attempt, long sendWindow)
{
    private const int MaxResponse = 4096;

    /// <summary>Stream ID; 0 in a slot that is free.</summary>
    public readonly int Stream = stream;

    /// <summary>What it carries.</summary>
    public readonly Attempt Attempt = attempt;

    /// <summary>Bytes the peer still takes.</summary>
    public long SendWindow = sendWindow;

    /// <summary>What came of headers and trailers.</summary>
    public ResponseHead Head = new() { GrpcStatus = -1 };

    private byte[]? _response;

    /// <summary>False in a slot that is free.</summary>
    public readonly bool IsOpen => Stream != 0;

    /// <summary>Keeps what comes of the response message, unless it is the usual empty one.</summary>
    public void TakeData(ReadOnlySpan<byte> data)
    {
        if (_response is null && data.SequenceEqual("\0\0\0\0\0"u8))
        {
            return;
        }

        _response = [.. _response ?? [], .. data];
        if (_response.Length > MaxResponse)
        {
            throw new InvalidDataException($"response longer than {MaxResponse} bytes");
        }
    }

    /// <summary>The outcome when the peer ended the stream.</summary>
    public readonly ExportOutcome OutcomeAtEnd()
    {
        if (Head.GrpcStatus < 0)
        {
            return ExportOutcome.OfHttpStatus(Head.HttpStatus == 200 ? 500 : Head.HttpStatus, null, 0);
        }

        long rejected = _response is { Length: > 5 } ? ResponseMessages.RejectedSpans(_response.AsSpan(5)) : 0;
        return ExportOutcome.OfGrpcStatus(Head.GrpcStatus, Head.GrpcMessage, Head.RetryAfter, rejected);
    }

    /// <summary>The outcome when the peer reset the stream: REFUSED_STREAM, CANCEL and ENHANCE_YOUR_CALM may be tried again.</summary>
    public readonly ExportOutcome OutcomeOfReset(uint code) =>
        new(code is 7 or 8 or 11 ? OutcomeKind.Refused : OutcomeKind.Failed, 0, null, $"stream reset with code {code}");
}
