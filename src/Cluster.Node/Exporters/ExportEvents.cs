namespace Cluster.Node.Exporters;

/// <summary>
/// Log events of the exporters: 3000 to 3999, numbers never reused. Nothing is logged per span or per trace. Counts stand behind what is counted, so
/// that the text is right for one as well.
/// </summary>
internal static partial class ExportEvents
{
    [LoggerMessage(3000, LogLevel.Information, "Exporter {Exporter} sends to {Endpoint}")]
    public static partial void Started(ILogger logger, string exporter, string endpoint);

    [LoggerMessage(3001, LogLevel.Warning,
        "Exporter {Exporter} cannot send to {Endpoint} ({Reason}: {Message}); its traces are kept and sent again. "
        + "Attempts that failed since this was last said: {Attempts}")]
    public static partial void Retrying(ILogger logger, string exporter, string endpoint, string reason, string message, long attempts);

    [LoggerMessage(3002, LogLevel.Information, "Exporter {Exporter} sends to {Endpoint} again after {Seconds:0.0} s")]
    public static partial void Recovered(ILogger logger, string exporter, string endpoint, double seconds);

    [LoggerMessage(3003, LogLevel.Error,
        "Exporter {Exporter}: {Endpoint} refused a request for good ({Reason}: {Message}). Lost traces: {Traces}, with spans: {Spans}. "
        + "Such requests since this was last said: {Times}")]
    public static partial void Rejected(
        ILogger logger, string exporter, string endpoint, int traces, int spans, string reason, string message, long times);

    [LoggerMessage(3004, LogLevel.Warning,
        "Exporter {Exporter}: {Endpoint} accepted a request in part, or with a warning ({Message}). Lost spans: {Spans}. "
        + "Such requests since this was last said: {Times}")]
    public static partial void PartlyAccepted(ILogger logger, string exporter, string endpoint, long spans, string message, long times);

    [LoggerMessage(3005, LogLevel.Error,
        "Exporter {Exporter} gave a request up after {Seconds:0.0} s and this many attempts: {Attempts} ({Reason}: {Message}). "
        + "Lost traces: {Traces}, with spans: {Spans}. "
        + "Such requests since this was last said: {Times}")]
    public static partial void GivenUp(
        ILogger logger, string exporter, int traces, int spans, int attempts, double seconds, string reason, string message, long times);

    [LoggerMessage(3006, LogLevel.Error, "Exporter {Exporter} had to end with unsent traces: {Traces}, with spans: {Spans}")]
    public static partial void Unsent(ILogger logger, string exporter, long traces, long spans);

    [LoggerMessage(3007, LogLevel.Information, "Exporter {Exporter} has sent everything")]
    public static partial void Drained(ILogger logger, string exporter);

    [LoggerMessage(3008, LogLevel.Critical, "Exporter {Exporter} stopped unexpectedly")]
    public static partial void Crashed(ILogger logger, Exception exception, string exporter);

    [LoggerMessage(3009, LogLevel.Error, "Exporter {Exporter} met an unexpected error in an attempt; it is made again")]
    public static partial void AttemptCrashed(ILogger logger, Exception exception, string exporter);

    [LoggerMessage(3020, LogLevel.Warning, "Exporter {Exporter} cut an unfinished line from the end of {Path}, bytes: {Bytes}")]
    public static partial void FileRepaired(ILogger logger, string exporter, long bytes, string path);

    [LoggerMessage(3021, LogLevel.Information, "Exporter {Exporter} moved {Path} to {Backup}")]
    public static partial void FileRotated(ILogger logger, string exporter, string path, string backup);

    [LoggerMessage(3022, LogLevel.Warning, "Exporter {Exporter} could not remove the old file {Path}: {Message}")]
    public static partial void BackupNotRemoved(ILogger logger, string exporter, string path, string message);
}
