using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Configuration;

/// <summary>What the processors of the pipeline come to.</summary>
/// <param name="Id">ID of the <c>tail_sampling</c> processor.</param>
/// <param name="Sharding">Its keys.</param>
/// <param name="Policies">Its policies; null when they have errors.</param>
/// <param name="Batch">From a <c>batch</c> processor; null when there is none.</param>
internal sealed record ProcessorBlocks(string Id, ShardRegionOptions Sharding, PolicySet? Policies, BatchOptions? Batch);

/// <summary>Reads <c>processors</c>.</summary>
internal static class ProcessorReader
{
    private static readonly string[] MemoryLimiterKeys =
    [
        "check_interval", "limit_mib", "spike_limit_mib", "limit_percentage", "spike_limit_percentage",
        "min_gc_interval_when_soft_limited", "min_gc_interval_when_hard_limited",
    ];

    /// <summary>Reads every block; what the pipeline uses is returned, null when it has no <c>tail_sampling</c> processor.</summary>
    public static ProcessorBlocks? Read(ConfigurationSection root, Pipeline? pipeline, ConfigurationReading reading)
    {
        ConfigurationSection? processors = root.Section("processors");
        ProcessorBlocks? tailSampling = null;
        BatchOptions? batch = null;
        if (processors is not null)
        {
            foreach ((string id, ConfigurationSection section) in ComponentId.Components(processors))
            {
                bool used = pipeline?.Uses("processors", id) ?? true;
                switch (ComponentId.TypeOf(id))
                {
                    case "tail_sampling":
                        (ShardRegionOptions options, PolicySet? policies) = TailSamplingReader.Read(section, reading);
                        if (used && tailSampling is not null)
                        {
                            processors.Error(
                                id, $"is a second tail_sampling processor, after {tailSampling.Id}", "keep one; put all policies into it");
                        }
                        else if (used)
                        {
                            tailSampling = new ProcessorBlocks(id, options, policies, null);
                        }

                        break;
                    case "batch":
                        BatchOptions read = BatchReader.ReadProcessor(section, reading);
                        batch = used ? read : batch;
                        break;
                    case "memory_limiter":
                        ReadMemoryLimiter(section, reading);
                        break;
                    case var type when used:
                        processors.Error(id, $"there is no processor '{type}' here", AdviceFor(type));
                        break;
                }
            }
        }

        if (pipeline is not null)
        {
            PipelineReader.CheckReferences(pipeline, "processors", processors);
            if (pipeline.Processors is { } names && !names.Any(p => ComponentId.TypeOf(p) == "tail_sampling"))
            {
                pipeline.Section.Error(
                    "processors", "has no tail_sampling processor", "add 'tail_sampling', and define it under 'processors'");
            }
        }

        return tailSampling is null ? null : tailSampling with { Batch = batch };
    }

    private static void ReadMemoryLimiter(ConfigurationSection section, ConfigurationReading reading)
    {
        section.Errors.Warning(
            section.Path,
            section.Line,
            "memory_limiter has no effect here",
            "limits.memory_soft and limits.memory_hard bound memory, and are always on");
        foreach (string key in MemoryLimiterKeys)
        {
            section.Ignore(key);
        }

        reading.Close(section);
    }

    private static string AdviceFor(string type) => type switch
    {
        "groupbytrace" => "remove it: tail_sampling groups spans by itself",
        "probabilistic_sampler" => "use a policy of type probabilistic",
        "attributes" or "resource" or "resourcedetection" or "k8sattributes" or "k8s_attributes" or "transform" or "filter" or "redaction"
            or "span" => "run it in a Collector before or behind this node",
        _ => "use tail_sampling, batch or memory_limiter; run others in a Collector before or behind this node",
    };
}
