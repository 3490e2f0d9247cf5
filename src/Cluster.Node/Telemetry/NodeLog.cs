namespace Cluster.Node.Telemetry;

/// <summary>What the node logs of its own life.</summary>
internal static partial class NodeLog
{
    [LoggerMessage(EventIds.NodeStarting, LogLevel.Information, "Starting node {NodeId}, version {Version}")]
    public static partial void Starting(this ILogger logger, string nodeId, string version);

    [LoggerMessage(EventIds.NodeReady, LogLevel.Information, "Ready: taking spans")]
    public static partial void Ready(this ILogger logger);

    [LoggerMessage(EventIds.ConfigurationWarning, LogLevel.Warning, "Configuration, line {Line}: {Path}: {Problem}; {Fix}")]
    public static partial void ConfigurationWarning(this ILogger logger, string path, int line, string problem, string fix);

    [LoggerMessage(EventIds.NodeDraining, LogLevel.Information, "Draining ({Reason}); pending traces: {PendingTraces}")]
    public static partial void Draining(this ILogger logger, string reason, long pendingTraces);

    [LoggerMessage(EventIds.NodeStopped, LogLevel.Information, "Stopped after {UptimeSeconds} s; spans accepted: {AcceptedSpans}, kept: {KeptSpans}")]
    public static partial void Stopped(this ILogger logger, double uptimeSeconds, long acceptedSpans, long keptSpans);
}
