using Cluster.Sharding.Traces;

namespace Cluster.Node.Exporters.Sending;

/// <summary>What a <see cref="SendingExporter"/> is made of.</summary>
internal sealed record SendingExporterParts
{
    /// <summary>Component ID.</summary>
    public required string Id { get; init; }

    /// <summary>Component type.</summary>
    public required string Type { get; init; }

    /// <summary>Where it sends, without secrets.</summary>
    public required string Endpoint { get; init; }

    /// <summary>The innermost piece.</summary>
    public required IExportClient Client { get; init; }

    /// <summary>Size of the queue and number of senders.</summary>
    public required SendingQueueOptions Queue { get; init; }

    /// <summary>Sizes of a request.</summary>
    public required BatchOptions Batch { get; init; }

    /// <summary>Back-off.</summary>
    public required RetryOptions Retry { get; init; }

    /// <summary>Longest time of an attempt; zero or less for none.</summary>
    public TimeSpan Timeout { get; init; }
}

/// <summary>
/// One exporter: queue -> batch -> retry -> timeout -> client. Its own queue and its own senders, so that it holds nobody up but, once the
/// queue is full, the intake.
/// </summary>
internal sealed class SendingExporter : IAsyncDisposable
{
    private readonly SendingExporterParts _parts;
    private readonly SendingQueue _queue;
    private readonly ExporterStatistics _statistics;
    private readonly BatchSender _sender;
    private readonly IExportClient _client;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _slots;
    private readonly CancellationTokenSource _drain = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private bool _disposed;

    /// <summary>Starts sending at once.</summary>
    public SendingExporter(SendingExporterParts parts, TimeProvider time, Func<double> random, ILogger logger)
    {
        _parts = parts;
        _logger = logger;
        _queue = new SendingQueue(parts.Queue.Bytes, parts.Batch, time);
        _statistics = new ExporterStatistics(time);
        _client = new TimeoutClient(parts.Client, parts.Timeout, time);
        _sender = new BatchSender(parts, _client, _queue, _statistics, new SenderClock(time, random, _drain.Token, _stop.Token), logger);
        _slots = new SemaphoreSlim(Math.Max(parts.Queue.Consumers, 1));
        ExportEvents.Started(logger, parts.Id, parts.Endpoint);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Component ID.</summary>
    public string Id => _parts.Id;

    /// <summary>False while the queue is full. One volatile read.</summary>
    public bool HasRoom => _queue.HasRoom;

    /// <summary>Everything at this moment.</summary>
    public ExporterStatus Status => _statistics.Snapshot(_parts.Id, _parts.Type, _parts.Endpoint, _queue);

    /// <summary>Takes over one reference.</summary>
    public void Enqueue(KeptTraces traces)
    {
        if (!_queue.Enqueue(traces))
        {
            // After the drain began nothing should come any more; what does come is at least counted.
            _statistics.Unsent(traces.TraceCount, traces.SpanCount);
            traces.Release();
        }
    }

    /// <summary>
    /// Takes nothing more, sends what there is without waiting for full batches, and tries again until <paramref name="deadline"/> is
    /// cancelled. What is left then is released and counted.
    /// </summary>
    public async Task<DrainLeft?> DrainAsync(CancellationToken deadline)
    {
        _queue.Complete();
        await _drain.CancelAsync();
        await using (deadline.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop))
        {
            await _loop;
        }

        if (_statistics.UnsentTraces == 0)
        {
            ExportEvents.Drained(_logger, _parts.Id);
            return null;
        }

        ExportEvents.Unsent(_logger, _parts.Id, _statistics.UnsentTraces, _statistics.UnsentSpans);
        return new DrainLeft(_parts.Id, _statistics.UnsentTraces, _statistics.UnsentSpans);
    }

    /// <summary>Stops at once; what was not sent is released and counted.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _queue.Complete();
        await _stop.CancelAsync();
        await _loop;
        await _client.DisposeAsync();
        _queue.Dispose();
        _slots.Dispose();
        _drain.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        // A free sender first and the batch then: while all are busy, batches grow.
        while (true)
        {
            await _slots.WaitAsync();
            if (await _queue.TakeAsync() is not { } batch)
            {
                break;
            }

            _ = Task.Run(() => SendAsync(batch));
        }

        for (int i = 1; i < Math.Max(_parts.Queue.Consumers, 1); i++)
        {
            await _slots.WaitAsync();
        }
    }

    private async Task SendAsync(ExportBatch batch)
    {
        _statistics.Begin();
        try
        {
            await _sender.SendAsync(batch);
        }
        catch (Exception exception)
        {
            ExportEvents.Crashed(_logger, exception, _parts.Id);
        }
        finally
        {
            _statistics.End();
            _slots.Release();
        }
    }
}
