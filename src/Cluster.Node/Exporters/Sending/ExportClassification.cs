using System.Security.Authentication;

namespace Cluster.Node.Exporters.Sending;

/// <summary>
/// The one table of what each answer means. Temporary answers follow OTLP
/// (<see href="https://opentelemetry.io/docs/specs/otlp/#failures"/> and
/// <see href="https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes"/>), with one difference: gRPC
/// <c>RESOURCE_EXHAUSTED</c> without <c>RetryInfo</c> is tried again too, unless its message says that the request is too large, because
/// most receivers that are only busy send no <c>RetryInfo</c> and a kept trace is worth more than a few requests.
/// </summary>
internal static class ExportClassification
{
    private const int Ok = 0;
    private const int ResourceExhausted = 8;

    private static readonly (string Reason, ExportVerdict Verdict)[] GrpcCodes =
    [
        ("ok", ExportVerdict.Accepted),
        ("cancelled", ExportVerdict.Retry),
        ("unknown", ExportVerdict.RejectedContent),
        ("invalid_argument", ExportVerdict.RejectedContent),
        ("deadline_exceeded", ExportVerdict.Retry),
        ("not_found", ExportVerdict.Rejected),
        ("already_exists", ExportVerdict.RejectedContent),
        ("permission_denied", ExportVerdict.Rejected),
        ("resource_exhausted", ExportVerdict.Retry),
        ("failed_precondition", ExportVerdict.RejectedContent),
        ("aborted", ExportVerdict.Retry),
        ("out_of_range", ExportVerdict.Retry),
        ("unimplemented", ExportVerdict.Rejected),
        ("internal", ExportVerdict.RejectedContent),
        ("unavailable", ExportVerdict.Retry),
        ("data_loss", ExportVerdict.Retry),
        ("unauthenticated", ExportVerdict.Rejected),
    ];

    private static readonly string[] TooLargePhrases =
        ["is larger than", "larger than max", "message exceeds", "exceeds maximum size", "exceeds the maximum", "too large"];

    /// <summary>What a gRPC status means.</summary>
    /// <param name="status">The <c>grpc-status</c>.</param>
    /// <param name="message">The <c>grpc-message</c>.</param>
    /// <param name="retryDelay">The <c>RetryInfo</c>, if there was one.</param>
    public static ExportOutcome ForGrpc(int status, string message, TimeSpan? retryDelay)
    {
        if ((uint)status >= (uint)GrpcCodes.Length)
        {
            return new ExportOutcome(ExportVerdict.RejectedContent, "unknown", $"grpc-status {status}: {message}");
        }

        (string reason, ExportVerdict verdict) = GrpcCodes[status];
        if (status == Ok)
        {
            return new ExportOutcome(verdict);
        }

        if (status == ResourceExhausted && retryDelay is null && SaysTooLarge(message))
        {
            return new ExportOutcome(ExportVerdict.RejectedContent, "too_large", message);
        }

        return new ExportOutcome(verdict, reason, message, verdict == ExportVerdict.Retry ? retryDelay : null);
    }

    /// <summary>
    /// What a response that has no <c>grpc-status</c> at all means: something that does not speak gRPC answered, or the stream ended early
    /// (<see href="https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md"/>).
    /// </summary>
    public static ExportOutcome ForGrpcWithoutStatus(int httpStatus) => httpStatus switch
    {
        200 => new ExportOutcome(ExportVerdict.Retry, "no_status", "the response ended without a grpc-status"),
        429 or (>= 502 and <= 504) => new ExportOutcome(ExportVerdict.Retry, HttpReason(httpStatus), HttpMessage(httpStatus)),
        400 or 413 or 500 => new ExportOutcome(ExportVerdict.RejectedContent, HttpReason(httpStatus), HttpMessage(httpStatus)),
        _ => new ExportOutcome(ExportVerdict.Rejected, HttpReason(httpStatus), HttpMessage(httpStatus)),
    };

    /// <summary>What an HTTP status means.</summary>
    /// <param name="status">The status code.</param>
    /// <param name="message">The message of the <c>google.rpc.Status</c> in the body, or empty.</param>
    /// <param name="retryAfter">The <c>Retry-After</c>, if there was one.</param>
    public static ExportOutcome ForHttp(int status, string message, TimeSpan? retryAfter)
    {
        ExportVerdict verdict = status switch
        {
            >= 200 and <= 299 => ExportVerdict.Accepted,
            429 or (>= 502 and <= 504) => ExportVerdict.Retry,

            // Nothing that a smaller request would change: wrong URL, wrong credentials, or a redirect, which is not followed.
            < 400 or 401 or 403 or 404 or 405 or 407 or 501 => ExportVerdict.Rejected,
            _ => ExportVerdict.RejectedContent,
        };

        return verdict == ExportVerdict.Accepted
            ? new ExportOutcome(verdict)
            : new ExportOutcome(
                verdict,
                HttpReason(status),
                message.Length > 0 ? message : HttpMessage(status),
                verdict == ExportVerdict.Retry ? retryAfter : null);
    }

    /// <summary>What an exception of the transport means: always temporary, since the request may not even have arrived.</summary>
    public static ExportOutcome ForTransport(Exception exception)
    {
        Exception inner = exception.GetBaseException();
        string reason = exception switch
        {
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "name_resolution",
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => "tls",
            HttpRequestException { HttpRequestError: HttpRequestError.VersionNegotiationError } => "no_http2",
            HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => "connection",
            AuthenticationException => "tls",
            HttpRequestException or HttpIOException or IOException => "connection_broken",
            _ => "unexpected",
        };

        string outer = exception.Message.Replace(", see inner exception.", "", StringComparison.Ordinal);
        string message = ReferenceEquals(inner, exception) ? outer : $"{outer} ({inner.Message})";
        return new ExportOutcome(ExportVerdict.Retry, reason, message);
    }

    private static bool SaysTooLarge(string message)
    {
        foreach (string phrase in TooLargePhrases)
        {
            if (message.Contains(phrase, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static string HttpReason(int status) => $"http_{status}";

    private static string HttpMessage(int status) => $"HTTP status {status}";
}
