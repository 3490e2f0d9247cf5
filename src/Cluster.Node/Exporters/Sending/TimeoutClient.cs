namespace Cluster.Node.Exporters.Sending;

/// <summary>Gives one attempt a longest time (<c>timeout</c>); an attempt that takes longer is a temporary failure.</summary>
internal sealed class TimeoutClient(IExportClient inner, TimeSpan timeout, TimeProvider time) : IExportClient
{
    private readonly string _message = $"no answer within {timeout.TotalSeconds:0.###} s";

    /// <inheritdoc/>
    public async ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation)
    {
        if (timeout <= TimeSpan.Zero)
        {
            return await inner.SendAsync(batch, cancellation);
        }

        using CancellationTokenSource limit = new(timeout, time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return await inner.SendAsync(batch, both.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            return new ExportOutcome(ExportVerdict.Retry, "timeout", _message);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
