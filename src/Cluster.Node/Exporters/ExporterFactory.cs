using Cluster.Node.Exporters.Local;
using Cluster.Node.Exporters.Otlp;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters;

/// <summary>Makes the exporters that a configuration names. Adding a type is one options record, one client, and one line here.</summary>
public static class ExporterFactory
{
    // What has no sending_queue of its own to configure: few bytes, written one after the other.
    private static readonly SendingQueueOptions DebugQueue = new() { Bytes = 64L << 20, Consumers = 1 };

    // A file or a terminal gains nothing from waiting for more.
    private static readonly BatchOptions AtOnce = new() { MinBytes = 1, MaxBytes = 4 << 20, Timeout = TimeSpan.Zero };

    private static readonly RetryOptions LocalRetry = new()
    {
        InitialInterval = TimeSpan.FromMilliseconds(250),
        Multiplier = 2,
        MaxInterval = TimeSpan.FromSeconds(10),
    };

    /// <summary>Makes and starts them all.</summary>
    /// <param name="exporters">The exporters of the pipeline; none at all is allowed and exports nothing.</param>
    /// <param name="time">Clock of batching, time-outs and back-off.</param>
    /// <param name="loggers">Where events 3000 to 3999 go.</param>
    /// <param name="random">Random numbers from 0 to 1, for jitter. Called from any thread.</param>
    /// <param name="standardOutput">Where the debug exporter writes; the process's standard output when null.</param>
    /// <exception cref="InvalidDataException">
    /// An exporter cannot be made: a file of <c>tls</c> is missing or wrong, a header cannot be sent. The message names the exporter.
    /// </exception>
    public static ExportPipeline Create(
        IReadOnlyList<ExporterOptions> exporters,
        TimeProvider time,
        ILoggerFactory loggers,
        Func<double> random,
        Stream? standardOutput = null)
    {
        ILogger logger = loggers.CreateLogger("Cluster.Node.Exporters");
        List<SendingExporterParts> parts = [];
        foreach (ExporterOptions options in exporters)
        {
            try
            {
                CheckFile(options as FileExporterOptions, exporters);
                parts.Add(CreateParts(options, time, logger, standardOutput));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or FormatException
                or ArgumentException or System.Security.Cryptography.CryptographicException)
            {
                throw new InvalidDataException($"exporter '{options.Id}': {exception.Message}", exception);
            }
        }

        return new ExportPipeline(parts.ConvertAll(part => new SendingExporter(part, time, random, logger)), time);
    }

    private static SendingExporterParts CreateParts(ExporterOptions options, TimeProvider time, ILogger logger, Stream? standardOutput) =>
        options switch
        {
            OtlpGrpcExporterOptions grpc => Sending(grpc, "otlp", grpc.Endpoint, new OtlpGrpcExporter(grpc)),
            OtlpHttpExporterOptions http => Sending(http, "otlphttp", http.TracesEndpoint, new OtlpHttpExporter(http, time)),
            DebugExporterOptions debug => new SendingExporterParts
            {
                Id = debug.Id,
                Type = "debug",
                Endpoint = "stdout",
                Client = new DebugExporter(debug, standardOutput ?? Console.OpenStandardOutput()),
                Queue = DebugQueue,
                Batch = AtOnce,
                Retry = LocalRetry,
            },
            FileExporterOptions file => new SendingExporterParts
            {
                Id = file.Id,
                Type = "file",
                Endpoint = file.Path,
                Client = new FileExporter(file, time, logger),

                // One writer: lines do not mix, and a repair has nobody to disturb.
                Queue = file.Queue with { Consumers = 1 },
                Batch = AtOnce,
                Retry = LocalRetry,
            },
            _ => throw new ArgumentException($"there is no exporter for {options.GetType().Name}", nameof(options)),
        };

    private static void CheckFile(FileExporterOptions? options, IReadOnlyList<ExporterOptions> exporters)
    {
        if (options is null)
        {
            return;
        }

        string path = Path.GetFullPath(options.Path);
        foreach (FileExporterOptions other in exporters.TakeWhile(other => other != options).OfType<FileExporterOptions>())
        {
            if (Path.GetFullPath(other.Path) == path)
            {
                throw new ArgumentException($"'{path}' is written by another exporter already");
            }
        }
    }

    private static SendingExporterParts Sending(SendingExporterOptions options, string type, Uri endpoint, IExportClient client) => new()
    {
        Id = options.Id,
        Type = type,
        Endpoint = OtlpTransport.Redact(endpoint),
        Client = client,
        Queue = options.Queue,
        Batch = options.Batch,
        Retry = options.Retry,
        Timeout = options.Timeout,
    };
}
