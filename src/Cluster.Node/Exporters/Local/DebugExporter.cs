using System.Text;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Local;

/// <summary>Prints one line a kept trace, and with <c>verbosity: detailed</c> one more a span. Used by one sender at a time.</summary>
internal sealed class DebugExporter(DebugExporterOptions options, Stream output) : IExportClient
{
    private readonly StringBuilder _text = new();

    /// <inheritdoc/>
    public async ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation)
    {
        _text.Clear();
        for (int i = 0; i < batch.Count; i++)
        {
            TraceSummary.Write(batch[i].Bytes.Span, options.Detailed, _text);
        }

        byte[] bytes = Encoding.UTF8.GetBytes(_text.ToString());
        try
        {
            await output.WriteAsync(bytes, cancellation);
            await output.FlushAsync(cancellation);
            return new ExportOutcome(ExportVerdict.Accepted, WireBytes: bytes.Length);
        }
        catch (IOException exception)
        {
            return new ExportOutcome(ExportVerdict.Retry, "write_error", exception.Message);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
