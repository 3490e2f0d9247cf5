using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Region;

namespace Cluster.Node.Configuration;

/// <summary>Reads <c>processors.tail_sampling</c>.</summary>
internal static class TailSamplingReader
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(24);

    /// <summary>Reads the block's own keys and compiles its policies; null policies when they have errors.</summary>
    public static (ShardRegionOptions Options, PolicySet? Policies) Read(ConfigurationSection section, ConfigurationReading reading)
    {
        PolicySet? policies = PolicyCompiler.Compile(section);
        ReadWithoutEffect(section);
        ShardRegionOptions defaults = new();
        (long sampled, long nonSampled) = ReadDecisionCache(section, defaults, reading);
        TimeSpan wait = Wait(section, "decision_wait", defaults.DecisionWait, ShortestWait);
        TimeSpan afterRoot = Wait(section, "decision_wait_after_root_received", defaults.DecisionWaitAfterRootReceived, TimeSpan.Zero);
        if (afterRoot > wait)
        {
            section.Warning(
                "decision_wait_after_root_received",
                $"{GoDuration.Format(afterRoot)} is longer than decision_wait ({GoDuration.Format(wait)}): it never comes first",
                "use a shorter time");
        }

        ShardRegionOptions options = new()
        {
            DecisionWait = wait,
            DecisionWaitAfterRootReceived = afterRoot,
            NumTraces = section.Int64("num_traces", defaults.NumTraces, 1),
            SampledCacheSize = sampled,
            NonSampledCacheSize = nonSampled,
            MaximumTraceSizeBytes = section.ByteSize("maximum_trace_size_bytes", defaults.MaximumTraceSizeBytes),
            DropPendingTracesOnShutdown = section.Bool("drop_pending_traces_on_shutdown", defaults.DropPendingTracesOnShutdown),
            RecordPolicy = section.Bool("record_policy", defaults.RecordPolicy),
        };
        reading.Close(section);
        return (options, policies);
    }

    private static void ReadWithoutEffect(ConfigurationSection section)
    {
        string strategy = section.String("sampling_strategy", "trace-complete")!;
        if (strategy == "span-ingest")
        {
            section.Error(
                "sampling_strategy",
                "'span-ingest' is not supported",
                "use trace-complete, with decision_wait_after_root_received for early decisions");
        }
        else if (strategy is not ("trace-complete" or ""))
        {
            section.Error("sampling_strategy", $"'{strategy}' is not one of its values", "use trace-complete");
        }

        section.NotSupported("pending traces are held in native memory, bounded by limits.memory_hard", "tail_storage");
        section.NoEffect("tables grow as they need to", "expected_new_traces_per_sec");
        section.NoEffect("the node always runs 'workers' loops over its shards, and rates are never divided", "num_shards");
        section.NoEffect("spans are never copied apart", "mutates_data");
        section.NoEffect(
            "no pending trace is ever evicted: beyond num_traces the oldest is decided early, beyond limits.memory_soft clients wait",
            "block_on_overflow");
    }

    private static (long Sampled, long NonSampled) ReadDecisionCache(
        ConfigurationSection section, ShardRegionOptions defaults, ConfigurationReading reading)
    {
        if (section.Section("decision_cache") is not { } cache)
        {
            return (defaults.SampledCacheSize, defaults.NonSampledCacheSize);
        }

        long sampled = Size("sampled_cache_size", defaults.SampledCacheSize);
        long nonSampled = Size("non_sampled_cache_size", defaults.NonSampledCacheSize);
        reading.Close(cache);
        return (sampled, nonSampled);

        long Size(string key, long defaultValue)
        {
            long size = cache.Int64(key, defaultValue, 0, 1_000_000_000);
            if (size == 0)
            {
                cache.Warning(key, "0 remembers nothing: a late span begins a trace of its own", $"leave it out for {defaultValue}");
            }

            return size;
        }
    }

    private static TimeSpan Wait(ConfigurationSection section, string key, TimeSpan defaultValue, TimeSpan minimum)
    {
        TimeSpan wait = section.Duration(key, defaultValue, minimum);
        if (wait > LongestWait)
        {
            section.Error(key, $"{GoDuration.Format(wait)} is too long", $"use {GoDuration.Format(LongestWait)} or less");
            return defaultValue;
        }

        return wait;
    }
}
