namespace Cluster.Node.Exporters.Sending;

/// <summary>What to do after an attempt.</summary>
internal enum ExportVerdict
{
    /// <summary>Done: the receiver has it (perhaps without some spans that it refused for good).</summary>
    Accepted = 0,

    /// <summary>Temporary: the same request again, later.</summary>
    Retry = 1,

    /// <summary>The receiver will never take these bytes, but perhaps a part of them: cut and send the parts.</summary>
    RejectedContent = 2,

    /// <summary>The receiver will never take anything sent like this (wrong credentials, no such method).</summary>
    Rejected = 3,
}

/// <summary>What came of one attempt: an error is a value here, not an exception.</summary>
/// <param name="Verdict">What to do next.</param>
/// <param name="Reason">Short and of few values, for a metric's label: <c>unavailable</c>, <c>http_503</c>, <c>timeout</c>.</param>
/// <param name="Message">For a person; may come from the receiver.</param>
/// <param name="MinimumDelay">What the receiver asks to wait (<c>RetryInfo</c>, <c>Retry-After</c>).</param>
/// <param name="RejectedSpans">Spans that an accepting receiver refused for good (partial success).</param>
/// <param name="WireBytes">Size of the body as it was sent, when it was.</param>
internal readonly record struct ExportOutcome(
    ExportVerdict Verdict,
    string Reason = "ok",
    string Message = "",
    TimeSpan? MinimumDelay = null,
    long RejectedSpans = 0,
    long WireBytes = 0);

/// <summary>The innermost piece of a sender chain: one attempt with one batch.</summary>
internal interface IExportClient : IAsyncDisposable
{
    /// <summary>
    /// Tries once. Failures of the other side are outcomes; only cancellation is thrown. The caller holds the batch; a client whose
    /// transport may outlast the call retains it. Safe for concurrent calls with different batches.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was cancelled.</exception>
    ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation);
}
