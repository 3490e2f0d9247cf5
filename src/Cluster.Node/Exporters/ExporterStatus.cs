namespace Cluster.Node.Exporters;

/// <summary>How an exporter is doing.</summary>
public enum ExporterState
{
    /// <summary>The last attempt succeeded, or there was none yet.</summary>
    Ok = 0,

    /// <summary>Attempts have been failing for less than <see cref="ExporterStatus.FailingAfter"/>; they are repeated.</summary>
    Retrying = 1,

    /// <summary>No attempt has succeeded for longer than that, or the receiver refused for good what it was sent last.</summary>
    Failing = 2,
}

/// <summary>One exporter at one moment. Counts are since the process began.</summary>
public sealed record ExporterStatus
{
    /// <summary>
    /// Time without success after which <see cref="ExporterState.Retrying"/> becomes <see cref="ExporterState.Failing"/>.
    /// </summary>
    public static readonly TimeSpan FailingAfter = TimeSpan.FromSeconds(30);

    /// <summary>Component ID: <c>otlp</c>, <c>otlphttp/tempo</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Component type: <c>otlp</c>, <c>otlphttp</c>, <c>debug</c>, <c>file</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Where it sends: a URL without user information, a path, or <c>stdout</c>.</summary>
    public required string Endpoint { get; init; }

    /// <summary>How it is doing.</summary>
    public required ExporterState State { get; init; }

    /// <summary>Bytes held: waiting, being sent, or waiting for another attempt.</summary>
    public required long QueueBytes { get; init; }

    /// <summary>Bytes at which the queue is full and intake is pushed back.</summary>
    public required long QueueCapacityBytes { get; init; }

    /// <summary>Requests that no sender has taken yet.</summary>
    public required int QueueRequests { get; init; }

    /// <summary>How long the oldest of them has been waiting.</summary>
    public required TimeSpan OldestQueued { get; init; }

    /// <summary>Batches being sent or waiting for another attempt.</summary>
    public required int InFlight { get; init; }

    /// <summary>Of these, batches that wait for another attempt.</summary>
    public required int WaitingForRetry { get; init; }

    /// <summary>Requests that were accepted.</summary>
    public required long SentRequests { get; init; }

    /// <summary>Traces (or late parts of traces) in them.</summary>
    public required long SentTraces { get; init; }

    /// <summary>Spans in them, without those refused in a partial success.</summary>
    public required long SentSpans { get; init; }

    /// <summary>Bytes of them as protobuf.</summary>
    public required long SentBytes { get; init; }

    /// <summary>Bytes of them as they were sent: compressed, or as JSON.</summary>
    public required long SentWireBytes { get; init; }

    /// <summary>Attempts that failed, by reason: <c>unavailable</c>, <c>http_503</c>, <c>timeout</c>, <c>connection</c>...</summary>
    public required IReadOnlyDictionary<string, long> FailedAttempts { get; init; }

    /// <summary>Attempts that repeated an earlier one.</summary>
    public required long Retries { get; init; }

    /// <summary>Traces that the receiver refused for good.</summary>
    public required long RejectedTraces { get; init; }

    /// <summary>Spans of them, and spans refused in a partial success.</summary>
    public required long RejectedSpans { get; init; }

    /// <summary>Traces given up because <c>max_elapsed_time</c> passed or <c>retry_on_failure</c> is off.</summary>
    public required long GivenUpTraces { get; init; }

    /// <summary>Spans of them.</summary>
    public required long GivenUpSpans { get; init; }

    /// <summary>Traces that were still here when the process had to end.</summary>
    public required long UnsentTraces { get; init; }

    /// <summary>Spans of them.</summary>
    public required long UnsentSpans { get; init; }

    /// <summary>The last failure, for a person; null when there was none.</summary>
    public string? LastError { get; init; }

    /// <summary>When it happened.</summary>
    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>When a request was last accepted.</summary>
    public DateTimeOffset? LastSuccessAt { get; init; }
}

/// <summary>What was left when draining ended.</summary>
/// <param name="Exporters">One entry for each exporter that had something left.</param>
public sealed record DrainReport(IReadOnlyList<DrainLeft> Exporters)
{
    /// <summary>True when everything left in time.</summary>
    public bool Complete => Exporters.Count == 0;
}

/// <summary>What one exporter could not send before the deadline.</summary>
/// <param name="ExporterId">Component ID.</param>
/// <param name="Traces">Traces.</param>
/// <param name="Spans">Spans.</param>
public sealed record DrainLeft(string ExporterId, long Traces, long Spans);
