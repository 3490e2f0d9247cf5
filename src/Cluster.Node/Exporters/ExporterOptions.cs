namespace Cluster.Node.Exporters;

/// <summary>One block under <c>exporters</c>.</summary>
public abstract record ExporterOptions
{
    /// <summary>Component ID: <c>otlp</c>, <c>otlphttp/tempo</c>.</summary>
    public required string Id { get; init; }
}

/// <summary>An exporter that sends requests over a network.</summary>
public abstract record SendingExporterOptions : ExporterOptions
{
    /// <summary>Longest time for one attempt (<c>timeout</c>).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Extra request headers (<c>headers</c>).</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary><c>compression</c>: gzip unless <c>none</c>.</summary>
    public bool Gzip { get; init; } = true;

    /// <summary><c>tls</c>.</summary>
    public TlsClientOptions Tls { get; init; } = new();

    /// <summary><c>retry_on_failure</c>.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary><c>sending_queue</c>.</summary>
    public SendingQueueOptions Queue { get; init; } = new();

    /// <summary><c>sending_queue.batch</c>, or what a <c>batch</c> processor says.</summary>
    public BatchOptions Batch { get; init; } = new();
}

/// <summary>OTLP over gRPC (<c>otlp</c>).</summary>
public sealed record OtlpGrpcExporterOptions : SendingExporterOptions
{
    /// <summary><c>http://</c> for cleartext (<c>tls.insecure: true</c>), <c>https://</c> otherwise.</summary>
    public required Uri Endpoint { get; init; }
}

/// <summary>OTLP over HTTP (<c>otlphttp</c>).</summary>
public sealed record OtlpHttpExporterOptions : SendingExporterOptions
{
    /// <summary>The full URL that takes traces: <c>traces_endpoint</c>, or <c>endpoint</c> + <c>/v1/traces</c>.</summary>
    public required Uri TracesEndpoint { get; init; }

    /// <summary><c>encoding: json</c> instead of <c>proto</c>.</summary>
    public bool Json { get; init; }
}

/// <summary>One line a kept trace on standard output (<c>debug</c>).</summary>
public sealed record DebugExporterOptions : ExporterOptions
{
    /// <summary><c>verbosity</c>: <c>basic</c> prints one line a trace, <c>detailed</c> also one a span.</summary>
    public bool Detailed { get; init; }
}

/// <summary>OTLP/JSON lines in a file (<c>file</c>).</summary>
public sealed record FileExporterOptions : ExporterOptions
{
    /// <summary><c>path</c>.</summary>
    public required string Path { get; init; }

    /// <summary><c>rotation.max_megabytes</c>, in bytes; 0 never rotates.</summary>
    public long RotateBytes { get; init; }

    /// <summary><c>rotation.max_backups</c>; 0 keeps all.</summary>
    public int MaxBackups { get; init; } = 100;

    /// <summary><c>append</c>.</summary>
    public bool Append { get; init; }

    /// <summary><c>sending_queue</c>.</summary>
    public SendingQueueOptions Queue { get; init; } = new();
}

/// <summary>TLS of a client (<c>tls</c>).</summary>
public sealed record TlsClientOptions
{
    /// <summary>PEM file of CAs to trust instead of the system's (<c>ca_file</c>).</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file of the client certificate (<c>cert_file</c>).</summary>
    public string? CertFile { get; init; }

    /// <summary>PEM file of its key (<c>key_file</c>).</summary>
    public string? KeyFile { get; init; }

    /// <summary>Accepts any server certificate (<c>insecure_skip_verify</c>).</summary>
    public bool InsecureSkipVerify { get; init; }

    /// <summary>Name to expect in the certificate (<c>server_name_override</c>).</summary>
    public string? ServerName { get; init; }
}

/// <summary>
/// Back-off between attempts (<c>retry_on_failure</c>), with the Collector's defaults, except that there is no time after which a
/// kept trace is given up unless one is configured.
/// </summary>
public sealed record RetryOptions
{
    /// <summary><c>enabled</c>; when false a failed request is dropped and counted.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary><c>initial_interval</c>.</summary>
    public TimeSpan InitialInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary><c>multiplier</c>.</summary>
    public double Multiplier { get; init; } = 1.5;

    /// <summary><c>randomization_factor</c>, 0 to 1.</summary>
    public double RandomizationFactor { get; init; } = 0.5;

    /// <summary><c>max_interval</c>.</summary>
    public TimeSpan MaxInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary><c>max_elapsed_time</c>; zero never gives up.</summary>
    public TimeSpan MaxElapsedTime { get; init; }
}

/// <summary>The bounded queue before a sender (<c>sending_queue</c>).</summary>
public sealed record SendingQueueOptions
{
    /// <summary>Bytes held before intake is pushed back (<c>queue_size</c> with <c>sizer: bytes</c>).</summary>
    public long Bytes { get; init; } = 256L << 20;

    /// <summary>Requests under way at once (<c>num_consumers</c>).</summary>
    public int Consumers { get; init; } = 10;
}

/// <summary>How kept traces are put together into requests.</summary>
public sealed record BatchOptions
{
    /// <summary>
    /// A request is sent when it has this many bytes (<c>min_size</c>); never larger than <see cref="MaxBytes"/>, except for one trace
    /// alone.
    /// </summary>
    public int MinBytes { get; init; } = 512 << 10;

    /// <summary>Largest request. Receivers refuse messages over 4 MiB by default.</summary>
    public int MaxBytes { get; init; } = 2 << 20;

    /// <summary>Longest wait for more (<c>flush_timeout</c>).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMilliseconds(200);
}
