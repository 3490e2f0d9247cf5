namespace Cluster.LoadGenerator.Sending;

/// <summary>What became of one attempt to send a request.</summary>
internal enum OutcomeKind
{
    /// <summary>Acknowledged.</summary>
    Accepted,

    /// <summary>Refused for now: to be sent again.</summary>
    Refused,

    /// <summary>Failed for good.</summary>
    Failed,
}

/// <summary>The receiver's answer.</summary>
/// <param name="Kind">Accepted, refused or failed.</param>
/// <param name="RejectedSpans">Spans that a partial success says were not taken.</param>
/// <param name="RetryAfter">How long the receiver asked to wait; null when it did not say.</param>
/// <param name="Reason">What it said, unless it accepted.</param>
internal readonly record struct ExportOutcome(OutcomeKind Kind, long RejectedSpans, TimeSpan? RetryAfter, string? Reason)
{
    /// <summary>An acknowledgement.</summary>
    public static ExportOutcome Accepted(long rejectedSpans) => new(OutcomeKind.Accepted, rejectedSpans, null, null);

    /// <summary>
    /// The outcome of a gRPC status: which of them may be retried is the OTLP specification's choice
    /// (<see href="https://opentelemetry.io/docs/specs/otlp/#failures"/>); RESOURCE_EXHAUSTED only when it comes with RetryInfo.
    /// </summary>
    public static ExportOutcome OfGrpcStatus(int status, string? message, TimeSpan? retryAfter, long rejectedSpans) => status switch
    {
        0 => Accepted(rejectedSpans),
        1 or 4 or 10 or 11 or 14 or 15 => new(OutcomeKind.Refused, 0, retryAfter, $"grpc-status {status} {message}"),
        8 when retryAfter is not null => new(OutcomeKind.Refused, 0, retryAfter, $"grpc-status 8 {message}"),
        _ => new(OutcomeKind.Failed, 0, null, $"grpc-status {status} {message}"),
    };

    /// <summary>The outcome of an HTTP status.</summary>
    public static ExportOutcome OfHttpStatus(int status, TimeSpan? retryAfter, long rejectedSpans) => status switch
    {
        200 => Accepted(rejectedSpans),
        429 or 502 or 503 or 504 => new(OutcomeKind.Refused, 0, retryAfter, $"HTTP status {status}"),
        _ => new(OutcomeKind.Failed, 0, null, $"HTTP status {status}"),
    };
}
