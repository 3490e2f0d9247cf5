using Cluster.Gateway.Receivers;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Tests.Admin;

internal sealed class FakeShards : IShardInspection
{
    public static readonly TraceId Large = new(0x0102030405060708, 0x090a0b0c0d0e0f10);
    public static readonly TraceId Old = new(0, 0x2a);
    public static readonly TraceId Kept = new(0xaaaaaaaaaaaaaaaa, 0xbbbbbbbbbbbbbbbb);
    public static readonly TraceId Lost = new(0xcccccccccccccccc, 0xdddddddddddddddd);

    public static readonly PendingTrace LargePending = new(Large, 1, 3, 900, TimeSpan.FromSeconds(1.25), TimeSpan.FromSeconds(1.25), true);
    public static readonly PendingTrace OldPending = new(Old, 0, 1, 100, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(0.5), false);

    public static readonly DecidedTrace KeptDecided = new(
        Kept, 0, Decision.Sampled, "errors", CompletionReason.DecisionWait, 7, 2100, 812, AdminFixture.Start.AddSeconds(60));

    public static readonly DecidedTrace LostDecided = new(
        Lost, 1, Decision.NotSampled, null, CompletionReason.Memory, 2, 300, 3, AdminFixture.Start.AddSeconds(50));

    public Func<CancellationToken, Task> Before { get; set; } = _ => Task.CompletedTask;

    public int Limit { get; private set; }

    public ShardRegionStatistics Statistics { get; } = new()
    {
        NewTraces = 40,
        PendingTraces = 2,
        PendingSpans = 4,
        PendingBytes = 1000,
        SlabBytes = 1 << 20,
        AcceptedSpans = 500,
        RepeatedSpans = 6,
        WorkerFailures = 0,
        MatchesGivenUp = 3,
        Decisions = [28, 9, 1],
        Completions = [0, 30, 4, 0, 1, 2, 1, 0],
        LateSpansSampled = 11,
        LateSpansNotSampled = 12,
        RememberedDecisions = 38,
        KeptTraces = 9,
        KeptSpans = 120,
        KeptBytes = 34_000,
        DecisionTime = TimeSpan.FromMicroseconds(1900),
        DecisionLateness = [20, 10, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1],
        DecisionLatenessSum = 187_000.5,
        Policies =
        [
            new PolicyStatistics("errors", "status_code", [0, 30, 7, 0, 1], 7, 90),
            new PolicyStatistics("the \"rest\"", "probabilistic", [7, 29, 2, 0, 0], 2, 30),
        ],
    };

    public async Task<IReadOnlyList<ShardStatus>> GetShardsAsync(CancellationToken cancellationToken)
    {
        await Before(cancellationToken);
        return
        [
            new ShardStatus(0, 1, 1, 100, TimeSpan.FromSeconds(2), 5, 15, 1, 0, 20),
            new ShardStatus(1, 0, 0, 0, null, 4, 13, 0, 2, 18),
        ];
    }

    public async Task<IReadOnlyList<PendingTrace>> GetPendingTracesAsync(TraceOrder order, int limit, CancellationToken cancellationToken)
    {
        await Before(cancellationToken);
        Limit = limit;
        return order == TraceOrder.Size ? [LargePending, OldPending] : [OldPending, LargePending];
    }

    public async Task<IReadOnlyList<DecidedTrace>> GetDecidedTracesAsync(Decision? decision, int limit, CancellationToken cancellationToken)
    {
        await Before(cancellationToken);
        Limit = limit;
        return [.. new[] { KeptDecided, LostDecided }.Where(trace => decision is null || trace.Decision == decision)];
    }

    public async Task<TraceStatus?> GetTraceAsync(TraceId traceId, CancellationToken cancellationToken)
    {
        await Before(cancellationToken);
        PolicyVote[] votes =
        [
            new("errors", "status_code", Vote.Sampled, "a span has status ERROR"),
            new("slow", "latency", Vote.NotEvaluated, "decided before its turn"),
        ];
        if (traceId == Kept)
        {
            return new TraceStatus(null, KeptDecided, votes, []);
        }

        return traceId != Large ? null : new TraceStatus(
            LargePending,
            null,
            votes,
            [
                new SpanSummary("00000000000000a1", null, "shop", "GET /köp", 2, 2, 1_000_000_000, 1_812_500_000),
                new SpanSummary("00000000000000a2", "00000000000000a1", null, new string('x', 600), 9, 0, 0, 5),
            ]);
    }

    public ShardRegionStatistics GetStatistics() => Statistics;
}

internal static class FakeCounters
{
    public static GatewaySnapshot Gateway() => new(77, 3, 1,
    [
        new DoorSnapshot(
            DoorKind.Grpc, 480, 4, 9000, 31_000, Counts((RequestOutcome.Accepted, 20), (RequestOutcome.Refused, 2)), Counts((Refusal.Memory, 2))),
        new DoorSnapshot(DoorKind.Http, 20, 0, 700, 700, Counts((RequestOutcome.Malformed, 1)), Counts((Refusal.ExportQueueFull, 0))),
    ]);

    public static IReadOnlyList<ExporterStatus> Exporters() =>
    [
        new ExporterStatus
        {
            Id = "otlp/tempo",
            Type = "otlp",
            Endpoint = "http://tempo:4317",
            State = ExporterState.Failing,
            QueueBytes = 1024,
            QueueCapacityBytes = 4096,
            QueueRequests = 6,
            OldestQueued = TimeSpan.FromSeconds(1.5),
            InFlight = 2,
            WaitingForRetry = 1,
            SentRequests = 5,
            SentTraces = 8,
            SentSpans = 100,
            SentBytes = 30_000,
            SentWireBytes = 7000,
            FailedAttempts = Counts(("unavailable", 2L), ("http_503", 1L)),
            Retries = 2,
            RejectedTraces = 1,
            RejectedSpans = 2,
            GivenUpTraces = 3,
            GivenUpSpans = 4,
            UnsentTraces = 5,
            UnsentSpans = 6,
            LastError = "UNAVAILABLE: connection refused",
            LastErrorAt = AdminFixture.Start.AddSeconds(30),
            LastSuccessAt = AdminFixture.Start.AddSeconds(20),
        },
        new ExporterStatus
        {
            Id = "debug",
            Type = "debug",
            Endpoint = "stdout",
            State = ExporterState.Ok,
            QueueBytes = 0,
            QueueCapacityBytes = 4096,
            QueueRequests = 0,
            OldestQueued = TimeSpan.Zero,
            InFlight = 0,
            WaitingForRetry = 0,
            SentRequests = 9,
            SentTraces = 9,
            SentSpans = 120,
            SentBytes = 34_000,
            SentWireBytes = 34_000,
            FailedAttempts = Counts<string>(),
            Retries = 0,
            RejectedTraces = 0,
            RejectedSpans = 0,
            GivenUpTraces = 0,
            GivenUpSpans = 0,
            UnsentTraces = 0,
            UnsentSpans = 0,
        },
    ];

    public static ProcessSnapshot Process() => new()
    {
        CpuTime = TimeSpan.FromSeconds(1.5),
        ResidentBytes = 50_000_000,
        StartedAt = AdminFixture.Start.AddMilliseconds(-250),
        HeapBytes = 2_000_000,
        GcPause = TimeSpan.FromMilliseconds(12),
        GcCollections = [5, 2, 1],
        AllocatedBytes = 9_000_000,
    };

    private static Dictionary<T, long> Counts<T>(params (T Key, long Count)[] counts)
        where T : notnull => counts.ToDictionary(count => count.Key, count => count.Count);
}
