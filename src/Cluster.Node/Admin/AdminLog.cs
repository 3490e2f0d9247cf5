using Cluster.Node.Telemetry;

namespace Cluster.Node.Admin;

/// <summary>What the admin endpoint logs.</summary>
internal static partial class AdminLog
{
    [LoggerMessage(EventIds.AdminRequestFailed, LogLevel.Error, "Admin request {Route} failed")]
    public static partial void RequestFailed(this ILogger logger, string route, Exception exception);

    [LoggerMessage(EventIds.AdminRequestTimedOut, LogLevel.Warning, "Admin request {Route}: no answer within {TimeoutSeconds} s")]
    public static partial void RequestTimedOut(this ILogger logger, string route, double timeoutSeconds);
}
