using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Exporters;

/// <summary>
/// All exporters of the pipeline. Each gets every kept trace through its own queue; a slow one does not hold the others until its queue is
/// full, and then it holds the intake rather than lose anything. Made by <see cref="ExporterFactory"/>. Thread-safe.
/// </summary>
public sealed class ExportPipeline : IKeptTraceQueue, IAsyncDisposable
{
    private readonly SendingExporter[] _exporters;
    private readonly TimeProvider _time;

    internal ExportPipeline(IEnumerable<SendingExporter> exporters, TimeProvider time)
    {
        _exporters = [.. exporters];
        _time = time;
    }

    /// <inheritdoc/>
    public bool HasRoom
    {
        get
        {
            foreach (SendingExporter exporter in _exporters)
            {
                if (!exporter.HasRoom)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <inheritdoc/>
    public void Enqueue(KeptTraces traces)
    {
        // The caller's reference holds the memory until every exporter has its own.
        foreach (SendingExporter exporter in _exporters)
        {
            traces.Retain();
            exporter.Enqueue(traces);
        }

        traces.Release();
    }

    /// <summary>Every exporter at this moment, in the pipeline's order.</summary>
    public IReadOnlyList<ExporterStatus> GetStatus() => Array.ConvertAll(_exporters, exporter => exporter.Status);

    /// <summary>
    /// Ends intake (what is enqueued from now on is counted as unsent), sends what is queued without waiting for full requests, and keeps
    /// trying for at most <paramref name="patience"/>, or until <paramref name="atOnce"/> is cancelled. What is left then is released,
    /// counted, logged and reported. To be called once, after the shards have made their last decisions and before
    /// <see cref="DisposeAsync"/>.
    /// </summary>
    public async Task<DrainReport> DrainAsync(TimeSpan patience, CancellationToken atOnce = default)
    {
        using CancellationTokenSource deadline = new(patience, _time);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, atOnce);
        DrainLeft?[] left = await Task.WhenAll(_exporters.Select(exporter => exporter.DrainAsync(end.Token)));
        return new DrainReport([.. left.OfType<DrainLeft>()]);
    }

    /// <summary>Stops at once and gives back all memory and connections.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (SendingExporter exporter in _exporters)
        {
            await exporter.DisposeAsync();
        }
    }
}
