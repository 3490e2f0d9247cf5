using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Local;

internal sealed class FileExporter(FileExporterOptions options, TimeProvider time, ILogger logger) : IExportClient
{
    public ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation) => throw new NotImplementedException($"{options}{time}{logger}");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
