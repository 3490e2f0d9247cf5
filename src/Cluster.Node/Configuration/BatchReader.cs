using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>Reads how kept traces are put together: the <c>batch</c> processor and <c>sending_queue.batch</c>.</summary>
internal static class BatchReader
{
    /// <summary>Spans of the Collector's <c>send_batch_size</c> and <c>min_size</c> when nothing is written.</summary>
    private const long CollectorSpans = 8192;

    /// <summary>Reads a <c>batch</c> processor: its spans become bytes.</summary>
    public static BatchOptions ReadProcessor(ConfigurationSection section, ConfigurationReading reading)
    {
        section.NoEffect("no processor here reads request metadata", "metadata_keys", "metadata_cardinality_limit");
        TimeSpan timeout = section.Duration("timeout", new BatchOptions().Timeout);
        long minimum = section.Int64("send_batch_size", CollectorSpans, 0, int.MaxValue);
        long maximum = section.Int64("send_batch_max_size", 0, 0, int.MaxValue);
        if (maximum > 0 && maximum < minimum)
        {
            section.Error("send_batch_max_size", $"{maximum} is less than send_batch_size ({minimum})", "use send_batch_size or more");
            maximum = 0;
        }

        reading.Close(section);
        BatchOptions options = FromSpans(timeout == TimeSpan.Zero ? 0 : minimum, maximum, timeout);
        section.Errors.Warning(
            section.Path,
            section.Line,
            InBytes(options),
            "for exact sizes write sending_queue.batch with sizer: bytes in the exporter");
        return options;
    }

    /// <summary>Reads <c>sending_queue.batch</c>; null when there is none.</summary>
    public static BatchOptions? ReadQueueBatch(ConfigurationSection queue, string queueSizer, ConfigurationReading reading)
    {
        if (queue.Section("batch") is not { } batch)
        {
            return null;
        }

        BatchOptions defaults = new();
        batch.NoEffect("no processor here reads request metadata", "partition");
        string sizer = batch.String("sizer", queueSizer == "bytes" ? "bytes" : "items")!;
        if (sizer is not ("bytes" or "items"))
        {
            batch.Error("sizer", $"'{sizer}' is not one of its values", "use bytes or items");
        }

        TimeSpan timeout = batch.Duration("flush_timeout", defaults.Timeout, TimeSpan.FromMilliseconds(1));
        long minimum = sizer == "bytes" ? batch.ByteSize("min_size", 0) : batch.Int64("min_size", 0, 0, int.MaxValue);
        long maximum = sizer == "bytes" ? batch.ByteSize("max_size", 0) : batch.Int64("max_size", 0, 0, int.MaxValue);
        if (maximum > 0 && maximum < minimum)
        {
            batch.Error("max_size", $"{maximum} is less than min_size ({minimum})", "use min_size or more");
            maximum = 0;
        }

        reading.Close(batch);
        if (sizer == "bytes")
        {
            return FromBytes(batch.Has("min_size") ? minimum : defaults.MinBytes, maximum, timeout);
        }

        BatchOptions options = batch.Has("min_size") ? FromSpans(minimum, maximum, timeout)
            : FromBytes(defaults.MinBytes, maximum * ConfigurationReading.BytesPerSpan, timeout);
        if (batch.Has("min_size") || batch.Has("max_size"))
        {
            batch.Errors.Warning(
                batch.Path,
                batch.Line,
                InBytes(options),
                "write sizer: bytes for exact sizes");
        }

        return options;
    }

    private static string InBytes(BatchOptions options) =>
        $"batches are counted in bytes here: {ConfigurationReading.BytesPerSpan} bytes a span "
        + $"make {options.MinBytes} to {options.MaxBytes} bytes";

    private static BatchOptions FromSpans(long minimum, long maximum, TimeSpan timeout) =>
        FromBytes(minimum * ConfigurationReading.BytesPerSpan, maximum * ConfigurationReading.BytesPerSpan, timeout);

    /// <summary>Without a maximum a request stays below what receivers take by default, whatever the minimum says.</summary>
    private static BatchOptions FromBytes(long minimum, long maximum, TimeSpan timeout)
    {
        int largest = maximum > 0 ? (int)Math.Min(maximum, int.MaxValue) : new BatchOptions().MaxBytes;
        return new BatchOptions { MinBytes = (int)Math.Clamp(minimum, 1, largest), MaxBytes = largest, Timeout = timeout };
    }
}
