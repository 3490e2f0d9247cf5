using Cluster.Gateway.Receivers.Otlp;
using Microsoft.Extensions.Logging;

namespace Cluster.Gateway.Receivers;

/// <summary>What every door works with. Immutable; its members are thread-safe.</summary>
internal sealed class DoorServices(
    ITraceConsumer consumer, GatewayLimits limits, InFlightBytes inFlight, GatewayStatistics statistics, TimeProvider time)
{
    /// <summary>What a client reads when some of its spans were rejected.</summary>
    public const string RejectedSpansMessage = "spans with an invalid trace or span ID were rejected";

    /// <summary>Where requests go.</summary>
    public ITraceConsumer Consumer => consumer;

    /// <summary>What all doors together may hold.</summary>
    public GatewayLimits Limits => limits;

    /// <summary>What they hold.</summary>
    public InFlightBytes InFlight => inFlight;

    /// <summary>What they count.</summary>
    public GatewayStatistics Statistics => statistics;

    /// <summary>What they answer when a request is not taken.</summary>
    public OutcomeMapping Mapping { get; } = new(limits.RetryAfter);

    /// <summary>Timers of requests that have to be waited for.</summary>
    public DeadlinePool Deadlines { get; } = new(time);
}

/// <summary>Log messages of the doors, 2000 to 2099. Nothing that a client does is logged: it is counted.</summary>
internal static partial class DoorLog
{
    [LoggerMessage(
        EventId = 2000, EventName = "RequestFailed", Level = LogLevel.Error, Message = "A request through the {Door} door failed.")]
    public static partial void RequestFailed(ILogger logger, DoorKind door, Exception exception);
}
