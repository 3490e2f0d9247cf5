using System.Globalization;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>The traces pipeline, as named under <c>service.pipelines</c>.</summary>
/// <param name="Id"><c>traces</c> or <c>traces/name</c>.</param>
/// <param name="Section">Its block, for findings.</param>
/// <param name="Receivers">IDs; null when the list is wrong, which the errors say.</param>
/// <param name="Processors">IDs, in order; null when the list is wrong.</param>
/// <param name="Exporters">IDs, in order; null when the list is wrong.</param>
internal sealed record Pipeline(
    string Id,
    ConfigurationSection Section,
    IReadOnlyList<string>? Receivers,
    IReadOnlyList<string>? Processors,
    IReadOnlyList<string>? Exporters)
{
    /// <summary>The names in one of its lists; null when that is wrong.</summary>
    public IReadOnlyList<string>? this[string kind] => kind switch
    {
        "receivers" => Receivers,
        "processors" => Processors,
        _ => Exporters,
    };

    /// <summary>Whether one of its lists names the component; true when nobody can know.</summary>
    public bool Uses(string kind, string id) => this[kind]?.Contains(id) ?? true;
}

/// <summary>Reads <c>service</c> and <c>extensions</c>.</summary>
internal static class PipelineReader
{
    private static readonly string[] OtherSignals = ["metrics", "logs", "profiles"];

    /// <summary>The one traces pipeline; null when there is none, or the errors say what is wrong with it.</summary>
    public static Pipeline? Read(ConfigurationSection root, ConfigurationReading reading)
    {
        ReadExtensions(root);
        if (root.Section("service") is not { } service)
        {
            root.Error(
                "service", "is missing", "name the components to run under service.pipelines.traces: receivers, processors, exporters");
            return null;
        }

        service.NoEffect("metrics are on the admin endpoint (/metrics), logs are configured under 'logging'", "telemetry");
        ReadExtensionList(service, root);
        Pipeline? pipeline = ReadPipelines(service, reading);
        reading.Close(service);
        return pipeline;
    }

    /// <summary>Reports each name in the pipeline's list that is not defined, and each definition that it does not name.</summary>
    public static void CheckReferences(Pipeline pipeline, string kind, ConfigurationSection? definitions)
    {
        if (pipeline[kind] is not { } names)
        {
            return;
        }

        string[] defined = definitions is null ? [] : [.. definitions.Keys];
        for (int i = 0; i < names.Count; i++)
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"{pipeline.Section.PathOf(kind)}[{i}]");
            int line = pipeline.Section.LineOf(kind);
            if (!defined.Contains(names[i]))
            {
                string fix = $"define it under '{kind}'" + (defined.Length == 0 ? "" : $", or name one of: {string.Join(", ", defined)}");
                pipeline.Section.Errors.Error(path, line, $"'{names[i]}' is not defined", fix);
            }
            else if (names.Take(i).Contains(names[i]))
            {
                pipeline.Section.Errors.Error(path, line, $"'{names[i]}' is named twice", "name it once");
            }
        }

        foreach (string id in defined.Except(names).Where(ComponentId.IsValid))
        {
            definitions!.Warning(id, "is not used by the pipeline", $"name it in {pipeline.Section.PathOf(kind)}, or remove it");
        }
    }

    private static Pipeline? ReadPipelines(ConfigurationSection service, ConfigurationReading reading)
    {
        if (service.Section("pipelines") is not { } pipelines)
        {
            service.Error("pipelines", "is missing", "write a 'traces' pipeline with receivers, processors and exporters");
            return null;
        }

        Pipeline? found = null;
        bool any = false;
        foreach ((string id, ConfigurationSection section) in ComponentId.Components(pipelines))
        {
            string signal = ComponentId.TypeOf(id);
            if (OtherSignals.Contains(signal))
            {
                pipelines.Error(
                    id,
                    $"a pipeline for {signal} cannot run here: this node takes traces only",
                    "keep it in a Collector, and remove it here");
            }
            else if (signal != "traces")
            {
                pipelines.Error(id, $"'{signal}' is not a signal", "write 'traces'");
            }
            else if (any)
            {
                pipelines.Error(id, "is a second traces pipeline", "keep one; run another node for the other");
            }
            else
            {
                any = true;
                found = ReadOne(id, section, reading);
            }
        }

        if (!any)
        {
            service.Error("pipelines", "has no traces pipeline", "write 'traces:' with receivers, processors and exporters");
        }

        reading.Close(pipelines);
        return found;
    }

    private static Pipeline? ReadOne(string id, ConfigurationSection section, ConfigurationReading reading)
    {
        Pipeline pipeline = new(
            id, section, Names(section, "receivers"), Names(section, "processors"), Names(section, "exporters"));
        reading.Close(section);
        return pipeline;
    }

    private static IReadOnlyList<string>? Names(ConfigurationSection section, string kind)
    {
        IReadOnlyList<string>? names = section.Strings(kind);
        if (names is [] || !section.Has(kind))
        {
            string example = kind switch { "receivers" => "[otlp]", "processors" => "[tail_sampling]", _ => "[otlp/backend]" };
            section.Error(
                kind, section.Has(kind) ? "must not be empty" : "is missing", $"list what the pipeline uses, {example} for example");
            return null;
        }

        return names;
    }

    private static void ReadExtensions(ConfigurationSection root)
    {
        if (root.Section("extensions") is { } extensions)
        {
            foreach (string id in extensions.Keys.ToArray())
            {
                extensions.NoEffect(ReplacementOf(ComponentId.TypeOf(id)), id);
            }
        }

        root.Ignore("connectors");
        if (root.Section("connectors") is { } connectors)
        {
            foreach (string id in connectors.Keys)
            {
                connectors.Error(id, "connectors are not supported", "run them in a Collector behind this node");
            }
        }
    }

    private static void ReadExtensionList(ConfigurationSection service, ConfigurationSection root)
    {
        IReadOnlyList<string> names = service.Strings("extensions") ?? [];
        for (int i = 0; i < names.Count; i++)
        {
            if (root.Section("extensions")?.Has(names[i]) != true)
            {
                string path = string.Create(CultureInfo.InvariantCulture, $"{service.PathOf("extensions")}[{i}]");
                service.Errors.Error(
                    path, service.LineOf("extensions"), $"'{names[i]}' is not defined", "define it under 'extensions', or remove the name");
            }
        }
    }

    private static string ReplacementOf(string extension) => extension switch
    {
        "health_check" or "healthcheckv2" => "/healthz and /readyz of the admin endpoint say how the node is",
        "zpages" => "the admin endpoint shows traces, shards and policies",
        "pprof" => "use dotnet-trace and dotnet-counters",
        "file_storage" or "db_storage" or "redis_storage" => "sending queues are in memory",
        "memory_ballast" => "nothing here needs it; remove it",
        "jaegerremotesampling" => "run it in a Collector",
        _ => "extensions are not run; remove it",
    };
}
