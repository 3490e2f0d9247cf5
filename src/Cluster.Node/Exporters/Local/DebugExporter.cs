using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Local;

internal sealed class DebugExporter(DebugExporterOptions options, Stream output) : IExportClient
{
    public ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation) => throw new NotImplementedException($"{options}{output}");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
