namespace Cluster.Node.Telemetry;

/// <summary>What the exporters are doing, from counters; cheap. Thread-safe.</summary>
public interface IExporterInspection
{
    /// <summary>Every exporter of the pipeline, in its order. IDs are unique.</summary>
    IReadOnlyList<ExporterSnapshot> GetExporters();
}

/// <summary>What an exporter is doing.</summary>
public enum ExporterState
{
    /// <summary>Sends, or has nothing to send.</summary>
    Sending = 0,

    /// <summary>The last attempt failed and is being repeated.</summary>
    Retrying = 1,

    /// <summary>Its queue is full: intake is pushed back.</summary>
    Full = 2,

    /// <summary>Shut down.</summary>
    Stopped = 3,
}

/// <summary>One exporter, now.</summary>
public sealed record ExporterSnapshot
{
    /// <summary>Component ID: <c>otlp/tempo</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Component type: <c>otlp</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Where it sends: a URL without credentials, a path; null for <c>debug</c>.</summary>
    public string? Endpoint { get; init; }

    /// <summary>What it is doing.</summary>
    public ExporterState State { get; init; }

    /// <summary>Bytes waiting or under way.</summary>
    public long QueueBytes { get; init; }

    /// <summary>Bytes from which on intake is pushed back; 0 when there is no queue.</summary>
    public long QueueCapacityBytes { get; init; }

    /// <summary>Spans confirmed since start.</summary>
    public long SentSpans { get; init; }

    /// <summary>Requests confirmed since start.</summary>
    public long SentRequests { get; init; }

    /// <summary>Spans given up since start: refused for good, or retried for longer than configured.</summary>
    public long FailedSpans { get; init; }

    /// <summary>Attempts that failed since start, repeated or not.</summary>
    public long FailedAttempts { get; init; }

    /// <summary>What the latest failure said; null when there was none.</summary>
    public string? LastError { get; init; }

    /// <summary>When that was.</summary>
    public DateTimeOffset? LastErrorAt { get; init; }
}
