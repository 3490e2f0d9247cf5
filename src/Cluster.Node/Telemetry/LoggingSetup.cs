using Cluster.Node.Configuration;
using Microsoft.Extensions.Logging.Console;

namespace Cluster.Node.Telemetry;

/// <summary>How logs are written: one line an event, on standard error, readable or as JSON. Standard output belongs to results.</summary>
public static class LoggingSetup
{
    /// <summary>Replaces every logging provider by the console, as the <c>logging</c> block says.</summary>
    public static void Configure(ILoggingBuilder builder, LoggingOptions options)
    {
        builder.ClearProviders();
        builder.SetMinimumLevel(options.Level);

        // The web server's own information is noise here: what it listens on is said on start, requests are counted.
        builder.AddFilter("Microsoft", options.Level > LogLevel.Warning ? options.Level : LogLevel.Warning);

        // It would print the stack of what the node itself says in a line: why it cannot start.
        builder.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);

        builder.AddConsole(console =>
        {
            console.LogToStandardErrorThreshold = LogLevel.Trace;
            console.FormatterName = options.Json ? ConsoleFormatterNames.Json : ConsoleFormatterNames.Simple;

            // A slow terminal must not stop the node: what does not fit is dropped, and the console says how much.
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
        if (options.Json)
        {
            builder.AddJsonConsole(json =>
            {
                json.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
                json.UseUtcTimestamp = true;
            });
        }
        else
        {
            builder.AddSimpleConsole(simple =>
            {
                simple.SingleLine = true;
                simple.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
                simple.UseUtcTimestamp = true;
            });
        }
    }
}
