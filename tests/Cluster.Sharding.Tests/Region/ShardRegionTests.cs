using Cluster.Gateway.Receivers;
using Cluster.Gateway.Routing;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Region;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Region;

public sealed class ShardRegionTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new();
    private readonly QueueFake _queue = new();
    private ShardRegion _region = null!;
    private ShardInspection _inspection = null!;
    private ShardRouter _router = null!;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _region.DisposeAsync();
        Assert.Equal(0, _region.SlabBytes);
    }

    [Fact]
    public async Task Deliver_AcrossShardsAndWorkers_KeepsEveryTraceWhole()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 3, DecisionWait = TimeSpan.FromSeconds(5) });
        await Parallel.ForEachAsync(Enumerable.Range(0, 40), async (part, _) =>
        {
            TraceBuilder request = new();
            for (ulong trace = 1; trace <= 200; trace++)
            {
                request.Span(trace, (ulong)part + 1).Error();
            }

            Assert.Equal(IntakeOutcome.Taken(200, 0), await _router.ConsumeAsync(request.ToBytes(), default));
        });
        Assert.Equal(200, (await _inspection.GetShardsAsync(default)).Sum(s => s.Traces));

        await PassAsync(TimeSpan.FromSeconds(6));

        // A worker's tick may have stood in its mailbox already, before time passed: then the next one decides.
        await PassAsync(TimeSpan.FromMilliseconds(100));
        var spans = _queue.TakeAll().Spans();
        Assert.Equal(8000, spans.Count);
        Assert.All(spans.GroupBy(s => s.TraceId), trace => Assert.Equal(40, trace.Select(s => s.SpanId).Distinct().Count()));
        ShardRegionStatistics statistics = _inspection.GetStatistics();
        Assert.Equal(8000, statistics.AcceptedSpans);
        Assert.Equal(200, statistics.Decisions[(int)Decision.Sampled]);
        Assert.Equal(0, statistics.PendingTraces + statistics.PendingSpans + statistics.PendingBytes);
        Assert.Equal(200, statistics.RememberedDecisions);
    }

    [Fact]
    public async Task Deliver_BeyondNumTraces_DecidesTheOldestByThePolicies()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 1, NumTraces = 10 });
        for (ulong trace = 1; trace <= 25; trace++)
        {
            await SendAsync(trace <= 15 ? new TraceBuilder().Span(trace, 1).Error() : new TraceBuilder().Span(trace, 1));
            _time.Advance(TimeSpan.FromMilliseconds(10));
        }

        await PassAsync(TimeSpan.Zero);
        ShardRegionStatistics statistics = _inspection.GetStatistics();
        Assert.Equal(10, statistics.PendingTraces);
        Assert.Equal(15, statistics.Completions[(int)CompletionReason.TraceCount]);
        Assert.Equal(15, statistics.Decisions[(int)Decision.Sampled]);
        Assert.Equal(
            Enumerable.Range(1, 15).Select(i => TraceBuilder.TraceId((ulong)i)).Order(Comparer<TraceId>.Create((a, b) => a.Low.CompareTo(b.Low))),
            (await _inspection.GetDecidedTracesAsync(null, 100, default)).Select(t => t.TraceId).OrderBy(t => t.Low));
    }

    [Fact]
    public async Task Deliver_AtTheSoftLimit_RefusesAndDecidesEarlyUntilThereIsRoom()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 1, MemorySoftBytes = 8 << 20, MemoryHardBytes = 16 << 20 });
        ulong trace = 0;
        IntakeOutcome outcome;
        do
        {
            outcome = await _router.ConsumeAsync(
                new TraceBuilder().Span(++trace, 1).Error().With("filler", new string('x', 100_000)).ToBytes(), default);
            Assert.True(trace < 1000);
        }
        while (outcome.Refusal == Refusal.None);
        Assert.Equal(IntakeOutcome.Refused(Refusal.Memory), outcome);
        Assert.Equal(Refusal.Memory, _region.Admission);

        for (int i = 0; i < 100 && _region.Admission != Refusal.None; i++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(Refusal.None, _region.Admission);
        ShardRegionStatistics statistics = _inspection.GetStatistics();
        Assert.True(statistics.Completions[(int)CompletionReason.Memory] > 0);
        Assert.True(statistics.PendingTraces > 0);
        Assert.Equal(statistics.Decisions.Sum(), statistics.KeptTraces);
        Assert.Equal((long)trace - 1, statistics.KeptTraces + statistics.PendingTraces);
        _queue.TakeAll();
    }

    [Fact]
    public async Task Deliver_BatchThatWouldPassTheHardLimit_IsRefusedWhole()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 1, MemorySoftBytes = 64 << 20, MemoryHardBytes = 1 << 20 });
        IntakeOutcome outcome = await _router.ConsumeAsync(new TraceBuilder().Span(1, 1).With("filler", new string('x', 2_000_000)).ToBytes(), default);
        Assert.Equal(IntakeOutcome.Refused(Refusal.Memory), outcome);
        Assert.Equal(0, _inspection.GetStatistics().AcceptedSpans);
    }

    [Fact]
    public async Task Admission_ExportersFull_PushesBack()
    {
        await OpenAsync(new ShardRegionOptions());
        _queue.HasRoom = false;
        Assert.Equal(IntakeOutcome.Refused(Refusal.ExportQueueFull), await _router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default));
        _queue.HasRoom = true;
        Assert.Equal(IntakeOutcome.Taken(1, 0), await _router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default));
    }

    [Fact]
    public async Task Drain_DecidesWhatIsPendingAndRefusesTheRest()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 2 });
        await SendAsync(new TraceBuilder().Span(1, 1).Error().Span(2, 1));
        await _region.DrainAsync();

        Assert.Single(_queue.TakeAll().Spans());
        Assert.Equal(2, _inspection.GetStatistics().Completions[(int)CompletionReason.Shutdown]);
        Assert.Equal(IntakeOutcome.Refused(Refusal.ShuttingDown), await _router.ConsumeAsync(new TraceBuilder().Span(3, 1).ToBytes(), default));
    }

    [Fact]
    public async Task Drain_DropPendingTraces_DecidesNothing()
    {
        await OpenAsync(new ShardRegionOptions { DropPendingTracesOnShutdown = true });
        await SendAsync(new TraceBuilder().Span(1, 1).Error());
        await _region.DrainAsync();

        Assert.Empty(_queue.TakeAll().Spans());
        Assert.Equal(0, _inspection.GetStatistics().Decisions.Sum());
        Assert.Equal(0, _inspection.GetStatistics().PendingTraces);
    }

    [Fact]
    public async Task Deliver_FewerThanNumTracesOverManyWorkers_DecidesNoneEarly()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 8, NumTraces = 20 });
        for (ulong trace = 1; trace <= 20; trace++)
        {
            await SendAsync(new TraceBuilder().Span(trace, 1));
        }

        await PassAsync(TimeSpan.Zero);
        Assert.Equal(20, _inspection.GetStatistics().PendingTraces);

        for (ulong trace = 21; trace <= 120; trace++)
        {
            await SendAsync(new TraceBuilder().Span(trace, 1));
            await PassAsync(TimeSpan.Zero);
        }

        Assert.Equal(20, _inspection.GetStatistics().PendingTraces);
        Assert.Equal(100, _inspection.GetStatistics().Completions[(int)CompletionReason.TraceCount]);
    }

    [Fact]
    public async Task Deliver_FloodOfTinyTraces_CountsWhatTheyTakeBesidesTheirBytes()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 1, NumTraces = long.MaxValue, MemorySoftBytes = 16 << 20, MemoryHardBytes = 20 << 20 });
        ulong trace = 0;
        IntakeOutcome outcome;
        do
        {
            TraceBuilder request = new();
            for (int i = 0; i < 500; i++)
            {
                request.Span(++trace, 1, name: "");
            }

            outcome = await _router.ConsumeAsync(request.ToBytes(), default);
        }
        while (outcome.Refusal == Refusal.None && trace < 500_000);

        Assert.Equal(IntakeOutcome.Refused(Refusal.Memory), outcome);
        Assert.InRange(_region.Load.Bytes, 16 << 20, 20 << 20);
        Assert.True(_region.SlabBytes < 8 << 20); // the smaller part

        for (int i = 0; i < 1000 && _region.Admission != Refusal.None; i++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(Refusal.None, _region.Admission);
        Assert.True(_inspection.GetStatistics().PendingTraces > 1000);
    }

    [Fact]
    public async Task Admission_LimitOfOneSlab_RecoversOnceNothingIsPending()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 1, MemorySoftBytes = 1 << 20, MemoryHardBytes = 2 << 20 });
        await SendAsync(new TraceBuilder().Span(1, 1));
        Assert.Equal(Refusal.Memory, _region.Admission);
        await PassAsync(TimeSpan.FromMilliseconds(20));
        await PassAsync(TimeSpan.FromMilliseconds(20));
        Assert.Equal(Refusal.None, _region.Admission);
    }

    [Fact]
    public async Task Drain_ExportersFull_WaitsForRoom()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 2 });
        await SendAsync(new TraceBuilder().Span(1, 1).Error().Span(2, 1).Error().Span(3, 1).Error());
        _queue.HasRoom = false;
        Task drain = _region.DrainAsync();
        for (int i = 0; i < 20; i++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        Assert.False(drain.IsCompleted);
        Assert.Equal(0, _queue.Spans);
        _queue.HasRoom = true;
        await FinishAsync(drain);
        Assert.Equal(3, _queue.Spans);
        Assert.True(_time.GetElapsedTime(0) < TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task Drain_ExportersStayFull_HandsOverTheRestAfterAWhile()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 2 });
        await SendAsync(new TraceBuilder().Span(1, 1).Error().Span(2, 1).Error().Span(3, 1).Error());
        _queue.HasRoom = false;
        await FinishAsync(_region.DrainAsync());
        Assert.Equal(3, _queue.Spans);
        Assert.True(_time.GetElapsedTime(0) >= TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task Dispose_WhileRequestsComeIn_AnswersEachAndFreesEverything()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 2 });
        using CancellationTokenSource stop = new();
        Task[] senders = [.. Enumerable.Range(0, 4).Select(sender => Task.Run(async () =>
        {
            TraceBuilder request = new TraceBuilder().Span((ulong)sender + 1, 1).Span((ulong)sender + 50, 1);
            byte[] bytes = request.ToBytes();
            while (!stop.IsCancellationRequested)
            {
                IntakeOutcome outcome = await _router.ConsumeAsync(bytes, default);
                Assert.True(outcome.Refusal is Refusal.None or Refusal.ShuttingDown);
            }
        }))];
        for (int i = 0; i < 100; i++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        await _region.DisposeAsync();
        await _region.DisposeAsync();
        await stop.CancelAsync();
        await Task.WhenAll(senders);
        Assert.Equal(0, _region.Load.Bytes);
        Assert.Equal(0, _region.BytesUnderWay);
    }

    [Fact]
    public async Task GetDecided_KindThatIsRare_IsFoundBehindManyOthers()
    {
        await OpenAsync(new ShardRegionOptions { DecisionWait = TimeSpan.FromMilliseconds(10) }, "policies: [{ name: d, type: drop, drop: { drop_sub_policy: [{ name: e, type: status_code, status_code: { status_codes: [ERROR] } }] } }]");
        await SendAsync(new TraceBuilder().Span(1, 1).Error());
        await PassAsync(TimeSpan.FromMilliseconds(30));
        for (ulong trace = 2; trace <= 200; trace++)
        {
            await SendAsync(new TraceBuilder().Span(trace, 1));
        }

        await PassAsync(TimeSpan.FromMilliseconds(30));
        Assert.Equal(1ul, Assert.Single(await _inspection.GetDecidedTracesAsync(Decision.Dropped, 2, default)).TraceId.Low);
    }

    [Fact]
    public async Task GetTrace_Pending_ShowsItsSpansAndWhatWouldBeDecided()
    {
        await OpenAsync(new ShardRegionOptions { DecisionWait = TimeSpan.FromSeconds(5) });
        await SendAsync(new TraceBuilder().Resource("cart").Span(1, 1, name: "root", durationMs: 20).Span(1, 2, parent: 1, name: "child").Error());
        await PassAsync(TimeSpan.FromSeconds(1));

        TraceStatus trace = (await _inspection.GetTraceAsync(TraceBuilder.TraceId(1), default))!;

        Assert.Null(trace.Decided);
        Assert.Equal(TimeSpan.FromSeconds(1), trace.Pending!.Age);
        Assert.Equal(TimeSpan.FromSeconds(4), trace.Pending.DecisionIn);
        Assert.True(trace.Pending.RootReceived);
        Assert.Equal(2, trace.Pending.Spans);
        Assert.Equal([Vote.Sampled], trace.Votes.Select(v => v.Vote));
        Assert.Equal(["cart: root", "cart: child"], trace.Spans.Select(s => $"{s.Service}: {s.Name}"));
        Assert.Equal("0000000000000001", trace.Spans[1].ParentSpanId);
        Assert.Equal(2, trace.Spans[1].StatusCode);
    }

    [Fact]
    public async Task GetTrace_Decided_RemembersVotesAndReasonsForKeptAndDropped()
    {
        await OpenAsync(new ShardRegionOptions { DecisionWait = TimeSpan.FromSeconds(5) });
        await SendAsync(new TraceBuilder().Span(1, 1, durationMs: 30).Error().Span(2, 1, durationMs: 40));
        await PassAsync(TimeSpan.FromSeconds(6));

        TraceStatus kept = (await _inspection.GetTraceAsync(TraceBuilder.TraceId(1), default))!;
        TraceStatus gone = (await _inspection.GetTraceAsync(TraceBuilder.TraceId(2), default))!;

        Assert.Equal(("errors", Decision.Sampled, 30L), (kept.Decided!.Policy, kept.Decided.Decision, kept.Decided.DurationMilliseconds));
        Assert.Equal(Vote.Sampled, kept.Votes[0].Vote);
        Assert.Equal((null, Decision.NotSampled, CompletionReason.DecisionWait), (gone.Decided!.Policy, gone.Decided.Decision, gone.Decided.Reason));
        Assert.Equal(Vote.NotSampled, gone.Votes[0].Vote);
        Assert.NotEmpty(gone.Votes[0].Reason);
        Assert.Null(await _inspection.GetTraceAsync(TraceBuilder.TraceId(3), default));
    }

    [Fact]
    public async Task GetTraces_SortsAndLimits()
    {
        await OpenAsync(new ShardRegionOptions { Workers = 2 });
        for (ulong trace = 1; trace <= 9; trace++)
        {
            await SendAsync(new TraceBuilder().Span(trace, 1).With("filler", new string('x', (int)(trace * 7 % 10) * 100)));
            await PassAsync(TimeSpan.FromMilliseconds(20));
        }

        IReadOnlyList<PendingTrace> oldest = await _inspection.GetPendingTracesAsync(TraceOrder.Age, 3, default);
        IReadOnlyList<PendingTrace> largest = await _inspection.GetPendingTracesAsync(TraceOrder.Size, 3, default);

        Assert.Equal([1ul, 2, 3], oldest.Select(t => t.TraceId.Low));
        Assert.Equal([7ul, 4, 1], largest.Select(t => t.TraceId.Low)); // 7 x 7 = 49, 4 x 7 = 28, 1 x 7
    }

    private async Task OpenAsync(ShardRegionOptions options, string configuration = ShardHarness.Errors)
    {
        ConfigurationErrors errors = new();
        PolicySet policies = PolicyCompiler.Parse(configuration, errors)!;
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        MemberId self = new("self", 1);
        _region = new ShardRegion(
            self,
            options with { ShardCount = 16 },
            policies,
            new TokenBuckets(policies.Budgets),
            ShardAllocation.Alone(self, 16),
            _queue,
            new MonotonicClock(_time),
            new TraceIdHasher(3));
        _inspection = new ShardInspection(_region);
        _router = new ShardRouter(_region, 1, new TraceIdHasher(3));
    }

    private async Task SendAsync(TraceBuilder request) =>
        Assert.Equal(Refusal.None, (await _router.ConsumeAsync(request.ToBytes(), default)).Refusal);

    /// <summary>Lets time pass until a task has ended.</summary>
    private async Task FinishAsync(Task task)
    {
        for (int i = 0; i < 2000 && !task.IsCompleted; i++)
        {
            await PassAsync(TimeSpan.FromMilliseconds(10));
        }

        Assert.True(task.IsCompleted);
        await task;
    }

    /// <summary>Lets time pass, and comes back when every worker loop has seen it.</summary>
    private async Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        await _inspection.GetShardsAsync(default);
    }
}
