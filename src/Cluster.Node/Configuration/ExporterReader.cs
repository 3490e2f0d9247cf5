using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>One exporter, and where it sends to.</summary>
/// <param name="Options">Its options; null when its block has an error that leaves none.</param>
/// <param name="Section">Its block.</param>
/// <param name="EndpointKey">The key of its address.</param>
/// <param name="Target">Host and port; null for exporters that do not send.</param>
internal sealed record ExporterBlock(ExporterOptions? Options, ConfigurationSection Section, string EndpointKey, HostPort? Target);

/// <summary>Reads <c>exporters</c>.</summary>
internal static class ExporterReader
{
    /// <summary>Reads every block; those that the pipeline uses are returned, in its order.</summary>
    public static IReadOnlyList<ExporterBlock> Read(
        ConfigurationSection root, Pipeline? pipeline, BatchOptions? batchProcessor, ConfigurationReading reading)
    {
        ConfigurationSection? exporters = root.Section("exporters");
        Dictionary<string, ExporterBlock> blocks = new(StringComparer.Ordinal);
        if (exporters is not null)
        {
            foreach ((string id, ConfigurationSection section) in ComponentId.Components(exporters))
            {
                bool used = pipeline?.Uses("exporters", id) ?? true;
                switch (ComponentId.TypeOf(id))
                {
                    case "otlp" or "otlp_grpc":
                        blocks[id] = OtlpExporterReader.ReadGrpc(id, section, batchProcessor, reading);
                        break;
                    case "otlphttp" or "otlp_http":
                        blocks[id] = OtlpExporterReader.ReadHttp(id, section, batchProcessor, reading);
                        break;
                    case "debug":
                        blocks[id] = ReadDebug(id, section, reading);
                        break;
                    case "file":
                        blocks[id] = ReadFile(id, section, reading);
                        break;
                    case var type when used:
                        exporters.Error(id, $"there is no exporter '{type}' here", AdviceFor(type));
                        break;
                }
            }
        }

        if (pipeline is null)
        {
            return [];
        }

        PipelineReader.CheckReferences(pipeline, "exporters", exporters);
        return [.. (pipeline.Exporters ?? []).Distinct().Where(blocks.ContainsKey).Select(id => blocks[id])];
    }

    private static ExporterBlock ReadDebug(string id, ConfigurationSection section, ConfigurationReading reading)
    {
        section.NoEffect("every kept trace is printed", "sampling_initial", "sampling_thereafter");
        section.NoEffect("it prints to standard output", "use_internal_logger", "output_paths");
        section.NoEffect("it has no queue", "sending_queue");
        bool detailed = section.OneOf("verbosity", "basic", "normal", "detailed") == "detailed";
        reading.Close(section);
        return new ExporterBlock(new DebugExporterOptions { Id = id, Detailed = detailed }, section, "", null);
    }

    private static ExporterBlock ReadFile(string id, ConfigurationSection section, ConfigurationReading reading)
    {
        FileExporterOptions defaults = new() { Id = id, Path = "" };
        string format = section.String("format", "json")!;
        if (format != "json")
        {
            section.Error("format", $"'{format}' is not supported", "use json, or leave it out");
        }

        if (section.NonEmpty("compression") is { } compression)
        {
            section.Error("compression", $"'{compression}' is not supported", "leave it out; compress rotated files with another program");
        }

        section.NotSupported("leave it out: files hold OTLP/JSON lines", "encoding", "group_by");
        section.NoEffect("lines are written as they come", "flush_interval");
        section.NoEffect("the directory has to be there", "create_directory", "directory_permissions");
        (long rotate, int backups) = (0L, defaults.MaxBackups);
        if (section.Section("rotation") is { } rotation)
        {
            rotation.NoEffect("backups are removed by number, and named in UTC", "max_days", "localtime");
            rotate = rotation.Int64("max_megabytes", 100, 1, 1 << 20) << 20;
            backups = (int)rotation.Int64("max_backups", defaults.MaxBackups, 0, 100_000);
            reading.Close(rotation);
        }

        FileExporterOptions options = new()
        {
            Id = id,
            Path = section.RequiredString("path", "name the file to write, /var/lib/actorsampling/traces.jsonl for example"),
            RotateBytes = rotate,
            MaxBackups = backups,
            Append = section.Bool("append", false),
            Queue = QueueReader.Read(section, out _, reading),
        };
        reading.Close(section);
        return new ExporterBlock(options, section, "path", null);
    }

    private static string AdviceFor(string type) => type switch
    {
        "logging" => "use debug, its new name",
        "jaeger" or "zipkin" => "send OTLP: Jaeger takes it on port 4317, and a Collector turns it into Zipkin's format",
        "loadbalancing" or "load_balancing" => "use otlp: tail sampling is done here, so nothing has to be routed by trace",
        "nop" => "use debug, or a file exporter",
        _ => "use otlp, otlphttp, debug or file; send OTLP to a Collector for other back ends",
    };
}
