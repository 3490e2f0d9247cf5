using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Node.Admin;

// The answers, as they look in JSON. `openapi.json` describes the same shapes and a test compares them. Durations are seconds.

internal sealed record ProblemJson(string Type, string Title, int Status, string Detail);

internal sealed record StatusJson(string Status);

internal sealed record NodeJson(
    string Id, string Version, string State, string? Reason, DateTimeOffset StartedAt, double UptimeSeconds,
    IReadOnlyList<ListeningJson> Listening, LimitsJson Limits, MemoryJson Memory, GcJson Gc, double CpuSeconds, NodeConfigurationJson Configuration);

internal sealed record ListeningJson(string Name, string Url);

internal sealed record LimitsJson(
    long InFlightBytes, int Connections, long MemorySoftBytes, long MemoryHardBytes, long NumTraces, long MaximumTraceSizeBytes);

internal sealed record MemoryJson(long ResidentBytes, long HeapBytes, long SlabBytes, long PendingBytes, long InFlightBytes);

internal sealed record GcJson(double PauseSeconds, IReadOnlyList<long> Collections, long AllocatedBytes);

internal sealed record NodeConfigurationJson(
    string Processor, int Shards, int Workers, double DecisionWaitSeconds, double DecisionWaitAfterRootReceivedSeconds, double SettleSeconds,
    long SampledCacheSize, long NonSampledCacheSize, IReadOnlyList<string> Policies, IReadOnlyList<string> Exporters);

internal sealed record ClusterJson(
    string Mode, string? Name, string Self, string? Coordinator, long? AllocationVersion, double? LeaseRemainingSeconds, bool? Fenced,
    ClusterSettingsJson? Settings, ClusterShardsJson? Shards, IReadOnlyList<MemberJson> Members);

internal sealed record ClusterSettingsJson(int Shards, int Replicas, int MinInSync, double LeaseTtlSeconds, double ReplicaTimeoutSeconds);

internal sealed record ClusterShardsJson(int Total, int Unowned, int WithoutInSyncCopy, int Moving);

internal sealed record MemberJson(
    string Id, string Incarnation, string Address, string Zone, IReadOnlyList<string> Roles, double Capacity, bool Leaving, string Version,
    string? Gateway, string? Admin, int Primaries, int Copies, int InSyncCopies);

internal sealed record DrainJson(string Node, string State, int Primaries, int Copies);

internal sealed record ShardsJson(IReadOnlyList<ShardJson> Shards, IReadOnlyList<string> Unanswered);

internal sealed record ShardJson(
    int Id, string? Primary, long Term, IReadOnlyList<CopyJson> Replicas, bool Moving, int? Traces, long? Spans, long? Bytes,
    double? OldestSeconds, long? Decided, long? Sampled, long? NotSampled, long? Dropped, long? Refused, int? Remembered);

internal sealed record CopyJson(string Node, bool InSync, bool Stale);

internal sealed record PendingTracesJson(string State, string Sort, int Limit, IReadOnlyList<PendingTraceJson> Traces);

internal sealed record PendingTraceJson(
    string TraceId, int Shard, int Spans, long Bytes, double AgeSeconds, double DecisionInSeconds, bool RootReceived);

internal sealed record DecidedTracesJson(string State, int Limit, IReadOnlyList<DecidedTraceJson> Traces);

internal sealed record DecidedTraceJson(
    string TraceId, int Shard, string Decision, string? Policy, string Reason, int Spans, long Bytes, double DurationSeconds,
    DateTimeOffset DecidedAt);

internal sealed record TraceJson(
    string TraceId, string Node, string State, PendingTraceJson? Pending, DecidedTraceJson? Decided, IReadOnlyList<VoteJson> Votes,
    IReadOnlyList<SpanJson> Spans, int SpansNotShown);

internal sealed record VoteJson(string Policy, string Type, string Vote, string Reason);

internal sealed record SpanJson(
    string SpanId, string? ParentSpanId, string? Service, string Name, string Kind, string Status, string StartUnixNano, double? DurationSeconds);

internal sealed record PoliciesJson(
    IReadOnlyList<PolicyJson> Policies, DecisionsJson Decisions, double PolicySeconds, double? PolicySecondsPerTrace);

internal sealed record DecisionsJson(long Sampled, long NotSampled, long Dropped);

internal sealed record PolicyJson(
    string Name, string Type, VotesJson Votes, double? SampledShare, long Decided, double? DecidedShare, long DecidedSpans);

internal sealed record VotesJson(long Sampled, long NotSampled, long Dropped, long Error, long NotEvaluated);

internal sealed record ExportersJson(IReadOnlyList<ExporterJson> Exporters);

internal sealed record ExporterJson(
    string Id, string Type, string Endpoint, string State, ExporterQueueJson Queue, ExporterSentJson Sent, long Retries,
    IReadOnlyDictionary<string, long> FailedAttempts, LostJson Rejected, LostJson GivenUp, LostJson Unsent, string? LastError,
    DateTimeOffset? LastErrorAt, DateTimeOffset? LastSuccessAt);

internal sealed record ExporterQueueJson(
    long Bytes, long CapacityBytes, int Requests, double OldestSeconds, int InFlight, int WaitingForRetry);

internal sealed record ExporterSentJson(long Requests, long Traces, long Spans, long Bytes, long WireBytes);

internal sealed record LostJson(long Traces, long Spans);

internal sealed record DoorsJson(long InFlightBytes, int Connections, long RefusedConnections, IReadOnlyList<DoorJson> Doors);

internal sealed record DoorJson(
    string Door, long AcceptedSpans, long RejectedSpans, long ReceivedBytes, long InflatedBytes,
    IReadOnlyDictionary<string, long> Requests, IReadOnlyDictionary<string, long> Refused);

/// <summary>Serialises the answers without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(ProblemJson))]
[JsonSerializable(typeof(StatusJson))]
[JsonSerializable(typeof(NodeJson))]
[JsonSerializable(typeof(ClusterJson))]
[JsonSerializable(typeof(DrainJson))]
[JsonSerializable(typeof(ShardsJson))]
[JsonSerializable(typeof(ShardJson))]
[JsonSerializable(typeof(PendingTracesJson))]
[JsonSerializable(typeof(DecidedTracesJson))]
[JsonSerializable(typeof(TraceJson))]
[JsonSerializable(typeof(PoliciesJson))]
[JsonSerializable(typeof(DoorsJson))]
[JsonSerializable(typeof(ExportersJson))]
internal sealed partial class AdminJsonContext : JsonSerializerContext;

/// <summary>
/// The one instance, which writes <c>&gt;=</c> and letters of all scripts as they are, since the answers are never part of a web page, and
/// which reads nothing that lacks a part.
/// </summary>
internal static class AdminJson
{
    public static AdminJsonContext Default { get; } = new(new JsonSerializerOptions(AdminJsonContext.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    });
}
