using Cluster.Gateway.Receivers;
using Cluster.Messages.Sharding;
using Cluster.Node.Exporters;

namespace Cluster.Node.Telemetry;

/// <summary>The doors' counters, in the words of the metrics page.</summary>
internal sealed class GatewayInspection(GatewayStatistics statistics) : IGatewayInspection
{
    /// <inheritdoc/>
    public GatewaySnapshot GetGateway()
    {
        Cluster.Gateway.Receivers.GatewaySnapshot now = statistics.Snapshot();
        return new GatewaySnapshot
        {
            InFlightBytes = now.InFlightBytes,
            Requests = [.. now.Doors.SelectMany(door => door.Requests.Select(r =>
                new RequestCount(Names.Of(door.Door), Names.Of(r.Key), r.Value)))],
            Refusals = [.. Enum.GetValues<Refusal>().Where(reason => reason != Refusal.None).Select(reason =>
                new RefusalCount(reason, now.Doors.Sum(door => door.Refused[reason]), 0))],
            RejectedSpans = now.Doors.Sum(door => door.RejectedSpans),
        };
    }
}

/// <summary>The exporters' status, in the words of the admin endpoint.</summary>
internal sealed class ExporterInspection(ExportPipeline exporters) : IExporterInspection
{
    /// <inheritdoc/>
    public IReadOnlyList<ExporterSnapshot> GetExporters() => [.. exporters.GetStatus().Select(status => new ExporterSnapshot
    {
        Id = status.Id,
        Type = status.Type,
        Endpoint = status.Endpoint,
        State = status.QueueBytes >= status.QueueCapacityBytes ? ExporterState.Full
            : status.State == Exporters.ExporterState.Ok ? ExporterState.Sending
            : ExporterState.Retrying,
        QueueBytes = status.QueueBytes,
        QueueCapacityBytes = status.QueueCapacityBytes,
        SentSpans = status.SentSpans,
        SentRequests = status.SentRequests,
        FailedSpans = status.RejectedSpans + status.GivenUpSpans + status.UnsentSpans,
        FailedAttempts = status.FailedAttempts.Values.Sum(),
        LastError = status.LastError,
        LastErrorAt = status.LastErrorAt,
    })];
}
