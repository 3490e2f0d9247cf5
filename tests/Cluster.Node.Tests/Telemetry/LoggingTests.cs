using System.Reflection;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Messages.Identity;
using Cluster.Node.Configuration;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Cluster.Node.Tests.Telemetry;

public sealed class LoggingTests
{
    [Fact]
    public void EventIds_EveryLogMethod_HasOneOfItsOwnInARange()
    {
        List<LoggerMessageAttribute> messages = Messages();

        Assert.NotEmpty(messages);
        Assert.Empty(messages.GroupBy(message => message.EventId).Where(group => group.Count() > 1).Select(group => group.Key));
        Assert.All(messages, message => Assert.InRange(message.EventId, EventIds.Node + 1, EventIds.Admin + 999));
    }

    /// <summary>"1 traces" is no English: counts stand behind what is counted.</summary>
    [Fact]
    public void Messages_WithCounts_AreRightForOne() =>
        Assert.All(Messages(), message => Assert.DoesNotMatch(
            @"\{\w+\} (\w+ )?(attempts|bytes|copies|frames|nodes|requests|shards|spans|times|traces)\b", message.Message));

    [Theory]
    [InlineData(LogLevel.Debug, true, true, false)]
    [InlineData(LogLevel.Information, false, true, false)]
    [InlineData(LogLevel.Error, false, false, false)]
    public void Configure_Level_IsForOurLogsTheServersStartAtWarning(LogLevel level, bool debug, bool information, bool serverInformation)
    {
        using ServiceProvider services = Configure(new LoggingOptions { Level = level });
        ILoggerFactory factory = services.GetRequiredService<ILoggerFactory>();
        ILogger ours = factory.CreateLogger("Cluster.Node.Program");
        ILogger server = factory.CreateLogger("Microsoft.AspNetCore.Server.Kestrel");

        Assert.Equal((debug, information), (ours.IsEnabled(LogLevel.Debug), ours.IsEnabled(LogLevel.Information)));
        Assert.Equal((serverInformation, level <= LogLevel.Warning), (server.IsEnabled(LogLevel.Information), server.IsEnabled(LogLevel.Warning)));
    }

    [Fact]
    public void Configure_Console_OneReadableLineAnEventOnStandardError()
    {
        using ServiceProvider services = Configure(new LoggingOptions());

        Assert.Equal(LogLevel.Trace, services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.LogToStandardErrorThreshold);
        Assert.Matches(
            @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info: Cluster\.Node\[1002\] Ready: taking spans\n$",
            Format(services, ConsoleFormatterNames.Simple));
    }

    [Fact]
    public void Configure_Json_OneObjectAnEvent()
    {
        using ServiceProvider services = Configure(new LoggingOptions { Json = true });

        string line = Format(services, ConsoleFormatterNames.Json);

        Assert.EndsWith("}\n", line, StringComparison.Ordinal);
        using var entry = System.Text.Json.JsonDocument.Parse(line);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", entry.RootElement.GetProperty("Timestamp").GetString());
        Assert.Equal(EventIds.NodeReady, entry.RootElement.GetProperty("EventId").GetInt32());
        Assert.Equal("Information", entry.RootElement.GetProperty("LogLevel").GetString());
    }

    /// <summary>Every log method's.</summary>
    private static List<LoggerMessageAttribute> Messages() =>
    [
        .. new[] { typeof(EventIds), typeof(OtlpReceiver), typeof(ShardRegion), typeof(PolicySet), typeof(TraceId) }
            .SelectMany(type => type.Assembly.GetTypes())
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            .Select(method => method.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>(),
    ];

    private static string Format(ServiceProvider services, string name)
    {
        Assert.Equal(name, services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName);
        ConsoleFormatter formatter = services.GetServices<ConsoleFormatter>().Single(formatter => formatter.Name == name);
        using StringWriter line = new() { NewLine = "\n" };
        LogEntry<string> entry = new(
            LogLevel.Information, "Cluster.Node", new EventId(EventIds.NodeReady), "Ready: taking spans", null, (state, _) => state);
        formatter.Write(in entry, null, line);
        return line.ToString();
    }

    private static ServiceProvider Configure(LoggingOptions options)
    {
        ServiceCollection services = new();
        services.AddLogging(builder => LoggingSetup.Configure(builder, options));
        return services.BuildServiceProvider();
    }
}
