namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>What a <see cref="RecordingBackend"/> says to a request.</summary>
internal enum AnswerKind
{
    /// <summary>Records it and says yes.</summary>
    Accept,

    /// <summary>gRPC UNAVAILABLE with RetryInfo, HTTP 503 with Retry-After; records nothing.</summary>
    Unavailable,

    /// <summary>gRPC INVALID_ARGUMENT, HTTP 400: not to be sent again; records nothing.</summary>
    Refuse,

    /// <summary>Never answers; records nothing.</summary>
    Hang,
}

/// <param name="Kind">What it says.</param>
/// <param name="RetryAfter">What the client is told to wait, if <see cref="AnswerKind.Unavailable"/>; in HTTP whole seconds.</param>
internal readonly record struct BackendAnswer(AnswerKind Kind, TimeSpan RetryAfter)
{
    public static BackendAnswer Accept => default;

    public static BackendAnswer Refuse => new(AnswerKind.Refuse, default);

    public static BackendAnswer Hang => new(AnswerKind.Hang, default);

    public static BackendAnswer Unavailable(TimeSpan retryAfter) => new(AnswerKind.Unavailable, retryAfter);
}
