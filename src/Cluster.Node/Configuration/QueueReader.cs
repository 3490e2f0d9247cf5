using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>Reads <c>sending_queue</c> and <c>retry_on_failure</c>.</summary>
internal static class QueueReader
{
    /// <summary>Reads <c>sending_queue</c>, sizes in requests and items becoming bytes.</summary>
    /// <param name="exporter">The exporter's block.</param>
    /// <param name="batch">Its <c>batch</c>; null when there is none.</param>
    /// <param name="reading">The reading.</param>
    public static SendingQueueOptions Read(ConfigurationSection exporter, out BatchOptions? batch, ConfigurationReading reading)
    {
        batch = null;
        SendingQueueOptions defaults = new();
        if (exporter.Section("sending_queue") is not { } queue)
        {
            return defaults;
        }

        if (!queue.Bool("enabled", true))
        {
            queue.Warning(
                "enabled", "has no effect here", "a queue in memory is always there: a kept trace must not be lost to a slow back end");
        }

        queue.NotSupported("queues are in memory; remove it", "storage");
        queue.NoEffect("a full queue pushes clients back, and nothing that was kept is dropped", "block_on_overflow", "wait_for_result");
        queue.NoEffect("no processor here reads request metadata", "metadata_keys");
        string sizer = queue.OneOf("sizer", "requests", "items", "bytes");
        SendingQueueOptions options = new()
        {
            Bytes = queue.Has("queue_size") ? ReadSize(queue, sizer, defaults) : defaults.Bytes,
            Consumers = (int)queue.Int64("num_consumers", defaults.Consumers, 1, 1000),
        };
        batch = BatchReader.ReadQueueBatch(queue, sizer, reading);
        queue.Ignore("queue_size");
        reading.Close(queue);
        return options;
    }

    /// <summary>Reads <c>retry_on_failure</c>.</summary>
    public static RetryOptions ReadRetry(ConfigurationSection exporter, ConfigurationReading reading)
    {
        RetryOptions defaults = new();
        if (exporter.Section("retry_on_failure") is not { } retry)
        {
            return defaults;
        }

        RetryOptions options = new()
        {
            Enabled = retry.Bool("enabled", true),
            InitialInterval = retry.Duration("initial_interval", defaults.InitialInterval, TimeSpan.FromMilliseconds(1)),
            Multiplier = retry.Double("multiplier", defaults.Multiplier),
            RandomizationFactor = retry.Double("randomization_factor", defaults.RandomizationFactor),
            MaxInterval = retry.Duration("max_interval", defaults.MaxInterval, TimeSpan.FromMilliseconds(1)),
            MaxElapsedTime = retry.Duration("max_elapsed_time", defaults.MaxElapsedTime),
        };
        if (options.Multiplier is < 1 or > 100)
        {
            retry.Error("multiplier", $"{options.Multiplier} is out of range", "use 1 to 100");
        }

        if (options.RandomizationFactor is < 0 or > 1)
        {
            retry.Error("randomization_factor", $"{options.RandomizationFactor} is out of range", "use 0 to 1");
        }

        string initial = GoDuration.Format(options.InitialInterval);
        if (options.MaxInterval < options.InitialInterval)
        {
            retry.Error(
                retry.Has("max_interval") ? "max_interval" : "initial_interval",
                $"max_interval ({GoDuration.Format(options.MaxInterval)}) is shorter than initial_interval ({initial})",
                "make max_interval the longer one");
        }

        if (options.MaxElapsedTime > TimeSpan.Zero && options.MaxElapsedTime < options.InitialInterval)
        {
            retry.Error(
                "max_elapsed_time",
                $"{GoDuration.Format(options.MaxElapsedTime)} is shorter than initial_interval ({initial})",
                "use a longer time, or 0 to never give up");
        }

        reading.Close(retry);
        return options;
    }

    private static long ReadSize(ConfigurationSection queue, string sizer, SendingQueueOptions defaults)
    {
        if (sizer == "bytes")
        {
            return queue.ByteSize("queue_size", defaults.Bytes, 1);
        }

        long unit = sizer == "items" ? ConfigurationReading.BytesPerSpan : ConfigurationReading.BytesPerRequest;
        long bytes = queue.Int64("queue_size", defaults.Bytes / unit, 1, int.MaxValue) * unit;
        queue.Warning(
            "queue_size",
            $"queues are counted in bytes here: {unit} bytes {(sizer == "items" ? "a span" : "a request")} make {bytes >> 20} MiB",
            "write sizer: bytes for an exact size");
        return bytes;
    }
}
