using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Admin;
using Cluster.Sampling.Configuration;
using Cluster.Sharding.Region;

namespace Cluster.Node.Configuration;

/// <summary>
/// Reads the blocks that a Collector does not have: <c>admin</c>, <c>limits</c>, <c>completion</c>, <c>logging</c>, <c>workers</c>.
/// </summary>
internal static class OwnBlocksReader
{
    /// <summary>Reads <c>admin</c>.</summary>
    public static AdminOptions ReadAdmin(
        ConfigurationSection root, CommandLineOverrides given, List<Listener> listeners, ConfigurationReading reading)
    {
        AdminOptions defaults = new();
        if (root.Section("admin") is not { } admin)
        {
            return new AdminOptions
            {
                Endpoint = ReceiverReader.Listen("admin", Nothing(root), given.Admin, "--admin", defaults.Endpoint!, listeners),
            };
        }

        bool enabled = admin.Bool("enabled", true) || given.Admin is not null;
        List<Listener> found = [];
        string endpoint = ReceiverReader.Listen("admin", admin, given.Admin, "--admin", defaults.Endpoint!, found);
        reading.Close(admin);
        if (enabled)
        {
            listeners.AddRange(found);
        }

        return new AdminOptions { Endpoint = enabled ? endpoint : null };
    }

    /// <summary>Reads <c>limits</c>: the gateway's part, and into <paramref name="sharding"/> that of the shards.</summary>
    public static GatewayLimits ReadLimits(
        ConfigurationSection root, long availableMemoryBytes, ConfigurationReading reading, ref ShardRegionOptions sharding)
    {
        GatewayLimits defaults = new();
        long soft = Math.Max(availableMemoryBytes / 2, 64L << 20);
        if (root.Section("limits") is not { } limits)
        {
            sharding = sharding with { MemorySoftBytes = soft, MemoryHardBytes = soft + soft / 4 };
            return defaults;
        }

        bool hardOnly = limits.Has("memory_hard") && !limits.Has("memory_soft");
        long hard = hardOnly ? limits.ByteSize("memory_hard", soft + soft / 4, 1 << 20) : 0;
        soft = limits.ByteSize("memory_soft", hardOnly ? hard / 5 * 4 : soft, hardOnly ? 0 : 16 << 20);
        hard = hardOnly ? hard : limits.ByteSize("memory_hard", soft + soft / 4, 1 << 20);
        if (hard < soft)
        {
            limits.Error(
                "memory_hard", $"{hard} is less than memory_soft ({soft})", "use memory_soft or more; a quarter more is the default");
        }

        if (hard > availableMemoryBytes && (limits.Has("memory_hard") || limits.Has("memory_soft")))
        {
            limits.Warning(
                limits.Has("memory_hard") ? "memory_hard" : "memory_soft",
                $"{hard >> 20} MiB of spans do not fit into the memory there is ({availableMemoryBytes >> 20} MiB)",
                "leave it out for half of the memory, or use less");
        }

        sharding = sharding with { MemorySoftBytes = soft, MemoryHardBytes = hard };
        GatewayLimits options = new()
        {
            InFlightBytes = limits.ByteSize("in_flight_bytes", defaults.InFlightBytes, 1 << 20),
            Connections = (int)limits.Int64("connections", defaults.Connections, 1, 1_000_000),
            BodyTimeout = limits.Duration("body_timeout", defaults.BodyTimeout, TimeSpan.FromMilliseconds(100)),
            RetryAfter = limits.Duration("retry_after", defaults.RetryAfter, TimeSpan.FromMilliseconds(1)),
        };
        reading.Close(limits);
        return options;
    }

    /// <summary>Reads <c>completion</c> and <c>workers</c> into <paramref name="sharding"/>.</summary>
    public static void ReadSharding(ConfigurationSection root, ConfigurationReading reading, ref ShardRegionOptions sharding)
    {
        sharding = sharding with { Workers = (int)root.Int64("workers", sharding.Workers, 1, 128) };
        if (root.Section("completion") is not { } completion)
        {
            return;
        }

        TimeSpan settle = completion.Duration("settle", sharding.Settle);
        if (settle > sharding.DecisionWait)
        {
            string wait = GoDuration.Format(sharding.DecisionWait);
            completion.Warning(
                "settle",
                $"{GoDuration.Format(settle)} is longer than decision_wait ({wait}): it never comes first",
                "use a shorter time");
        }

        sharding = sharding with { Settle = settle };
        reading.Close(completion);
    }

    /// <summary>Reads <c>logging</c>.</summary>
    public static LoggingOptions ReadLogging(ConfigurationSection root, ConfigurationReading reading)
    {
        if (root.Section("logging") is not { } logging)
        {
            return new LoggingOptions();
        }

        LoggingOptions options = new()
        {
            Json = logging.OneOf("format", "console", "json") == "json",
            Level = logging.OneOf("level", "info", "debug", "warn", "error") switch
            {
                "debug" => LogLevel.Debug,
                "warn" => LogLevel.Warning,
                "error" => LogLevel.Error,
                _ => LogLevel.Information,
            },
        };
        reading.Close(logging);
        return options;
    }

    /// <summary>An <c>admin</c> block that is not there.</summary>
    private static ConfigurationSection Nothing(ConfigurationSection root) => ConfigurationSection.Parse("", root.Errors)!;
}
