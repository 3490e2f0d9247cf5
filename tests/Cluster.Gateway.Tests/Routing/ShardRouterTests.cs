using Cluster.Gateway.Receivers;
using Cluster.Gateway.Routing;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Gateway.Tests.Routing;

public sealed class ShardRouterTests
{
    private readonly RecordingRegion _region = new(8);
    private readonly ShardRouter _router;

    public ShardRouterTests() => _router = new ShardRouter(_region, 42, new TraceIdHasher(7));

    [Fact]
    public async Task Consume_Request_WritesOneFrameAShardThatHoldsItsSpansUnchanged()
    {
        TraceBuilder builder = new();
        for (ulong i = 1; i <= 100; i++)
        {
            builder.Span(i % 20 + 1, i).With("n", (long)i);
        }

        ExportTraceServiceRequest request = builder.Resource("second").Scope("lib", "1.2").Span(3, 500).Build();
        request.ResourceSpans[0].SchemaUrl = "https://example.org/resource";
        request.ResourceSpans[1].ScopeSpans[0].SchemaUrl = "https://example.org/scope";

        IntakeOutcome outcome = await _router.ConsumeAsync(request.ToByteArray(), default);

        Assert.Equal(IntakeOutcome.Taken(101, 0), outcome);
        Assert.Equal(_region.Frames.Count, _region.Frames.Select(f => f.Shard).Distinct().Count());
        Assert.Equal(Describe(request).Order(), Describe(_region.Frames).Order());
    }

    [Fact]
    public async Task Consume_SequencesNeverRepeat()
    {
        for (ulong i = 1; i <= 20; i++)
        {
            await _router.ConsumeAsync(new TraceBuilder().Span(i, 1).Span(i + 100, 2).ToBytes(), default);
        }

        List<ulong> sequences = [.. _region.Frames.Select(f => FrameReader.TryOpen(f.Bytes, out FrameReader frame) ? frame.Header.Sequence : 0)];
        Assert.Equal(sequences.Count, sequences.Distinct().Count());
    }

    [Fact]
    public async Task Consume_MalformedRequest_DeliversNothing()
    {
        Assert.Equal(IntakeOutcome.Malformed(WireError.Truncated, 1), await _router.ConsumeAsync(new byte[] { 0x0A, 0x05 }, default));
        Assert.Empty(_region.Frames);
    }

    [Fact]
    public async Task Consume_OnlyInvalidSpans_AreRejectedWithoutADelivery()
    {
        TraceBuilder builder = new TraceBuilder().Span(1, 1);
        builder.LastSpan.TraceId = ByteString.Empty;

        Assert.Equal(IntakeOutcome.Taken(0, 1), await _router.ConsumeAsync(builder.ToBytes(), default));
        Assert.Empty(_region.Frames);
    }

    [Fact]
    public async Task Consume_EmptyRequest_IsTaken() =>
        Assert.Equal(IntakeOutcome.Taken(0, 0), await _router.ConsumeAsync(ReadOnlyMemory<byte>.Empty, default));

    [Fact]
    public async Task Consume_RegionRefuses_SaysWhy()
    {
        _region.Refusal = Refusal.Memory;
        Assert.Equal(IntakeOutcome.Refused(Refusal.Memory), await _router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default));
    }

    [Fact]
    public async Task Consume_RegionRefusesBeforeReading_DoesNotLookAtTheRequest()
    {
        _region.Admission = Refusal.ShuttingDown;
        Assert.Equal(IntakeOutcome.Refused(Refusal.ShuttingDown), await _router.ConsumeAsync(new byte[] { 0xFF }, default));
    }

    [Theory]
    [InlineData(1_000, 100_000)] // 139 kB would become 100 MB
    [InlineData(10_000, 1_000_000)] // 10 GB: more than an int can count
    public async Task Consume_FrameLongerThanAMessageBetweenNodes_IsTooLargeAndSaysWhatToDo(int scopes, int resource)
    {
        byte[] body = Amplified(scopes, resource, _ => 1).ToBytes();
        long length = Plan(body, 8).Longest;
        Assert.InRange(length, (long)scopes * resource, scopes * (resource + 200L));

        IntakeOutcome outcome = await _router.ConsumeAsync(body, default);

        Assert.Equal(
            IntakeOutcome.TooLarge(
                $"its spans of one shard take {length} bytes as a frame, more than 67108816; a resource's attributes are repeated for each of "
                + "its scopes: send fewer scopes or smaller resource attributes in a request"),
            outcome);
        Assert.Empty(_region.Frames);
        Assert.Equal(IntakeOutcome.Taken(1, 0), await _router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default));
    }

    [Theory]
    [InlineData(-1, true)]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public async Task Consume_AroundTheLongestFrame_IsTakenUpToIt(int over, bool isTaken)
    {
        TraceBuilder builder = Amplified(scopes: 66, resource: 1_000_000, _ => 1);
        builder.LastSpan.Name = new string('n', 1_000_000);
        int missing = (int)(FrameFormat.MaxLength + over - Plan(builder.ToBytes(), 8).Longest);
        builder.LastSpan.Name = new string('n', 1_000_000 + missing);
        byte[] body = builder.ToBytes();
        Assert.Equal(FrameFormat.MaxLength + over, Plan(body, 8).Longest);
        SilentRegion region = new();

        IntakeOutcome outcome = await new ShardRouter(region, 1, new TraceIdHasher(7)).ConsumeAsync(body, default);

        (int, string?) expected = isTaken ? (66, null) : (0, "its spans of one shard take 67108817 bytes as a frame");
        Assert.Equal(expected, (outcome.AcceptedSpans, outcome.Excess?.Split(',')[0]));
        Assert.Equal(isTaken ? FrameFormat.MaxLength + over : 0, region.DeliveredBytes);
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, true)]
    public async Task Consume_FramesLargerThanAllThatMayBeUnderWay_AreTooLarge(int room, bool isTaken)
    {
        // No frame is too long, but together they would not be taken at any other time either.
        byte[] body = Amplified(scopes: 100, resource: 10_000, trace => trace).ToBytes();
        FramePlan plan = Plan(body, 8);
        ShardRouter router = new(_region, 1, new TraceIdHasher(7), plan.Length + room);

        Assert.Equal(
            isTaken
                ? IntakeOutcome.Taken(100, 0)
                : IntakeOutcome.TooLarge(
                    $"its spans take {plan.Length} bytes as frames, more than {plan.Length - 1} (limits.in_flight_bytes); a resource's attributes are "
                    + "repeated for each of its scopes: send fewer scopes or smaller resource attributes in a request"),
            await router.ConsumeAsync(body, default));
        Assert.Equal(isTaken ? plan.Length : 0, _region.Frames.Sum(frame => (long)frame.Bytes.Length));
    }

    [Fact]
    public async Task Consume_WhileOthersFramesTakeTheRoom_IsRefusedForNow()
    {
        byte[] body = Amplified(scopes: 10, resource: 10_000, trace => trace).ToBytes();
        TaskCompletionSource<Refusal> acknowledgement = new();
        SilentRegion region = new() { Answer = acknowledgement.Task };
        ShardRouter router = new(region, 1, new TraceIdHasher(7), Plan(body, 8).Length);
        Task<IntakeOutcome> first = router.ConsumeAsync(body, default).AsTask();

        Assert.Equal(IntakeOutcome.Refused(Refusal.InFlightBytes), await router.ConsumeAsync(body, default));

        acknowledgement.SetResult(Refusal.None);
        Assert.Equal(IntakeOutcome.Taken(10, 0), await first);
        region.Answer = Task.FromResult(Refusal.None);
        Assert.Equal(IntakeOutcome.Taken(10, 0), await router.ConsumeAsync(body, default));
    }

    [Fact]
    public async Task Consume_RequestsThatWaitForTheSameTurn_ShareOneFrameAShard()
    {
        Turns turns = new();
        ShardRouter router = new(_region, 42, new TraceIdHasher(7), schedule: turns.Add);
        List<ExportTraceServiceRequest> requests = [];
        List<Task<IntakeOutcome>> outcomes = [];
        for (ulong i = 0; i < 3; i++)
        {
            // Traces and span IDs that others have as well, under a resource of its own.
            TraceBuilder builder = new TraceBuilder().Resource("service-" + i).Scope("lib", "1." + i);
            for (ulong span = 1; span <= 10 + i; span++)
            {
                builder.Span(span, span);
            }

            requests.Add(builder.Build());
            outcomes.Add(router.ConsumeAsync(requests[^1].ToByteArray(), default).AsTask());
        }

        Assert.All(outcomes, outcome => Assert.False(outcome.IsCompleted));
        turns.RunOne();

        Assert.Equal([IntakeOutcome.Taken(10, 0), IntakeOutcome.Taken(11, 0), IntakeOutcome.Taken(12, 0)], await Task.WhenAll(outcomes));
        Assert.Equal(0, turns.Count);
        Assert.Equal(_region.Frames.Count, _region.Frames.Select(frame => frame.Shard).Distinct().Count());
        Assert.Equal(requests.SelectMany(Describe).Order(), Describe(_region.Frames).Order());
    }

    [Theory]
    [InlineData(RequestBatch.MostRequests, 100, 1)]
    [InlineData(RequestBatch.MostRequests + 1, 100, 2)]
    [InlineData(2, RequestBatch.EnoughBytes - 1000, 1)]
    [InlineData(2, RequestBatch.EnoughBytes, 2)]
    public async Task Consume_MoreThanGoesTogether_TakesAnotherTurn(int requests, int bytes, int turnsNeeded)
    {
        Turns turns = new();
        SilentRegion region = new();
        ShardRouter router = new(region, 1, new TraceIdHasher(7), schedule: turns.Add);
        byte[] body = new TraceBuilder().Span(1, 1).With("filler", new string('x', bytes)).ToBytes();
        Task<IntakeOutcome>[] outcomes = [.. Enumerable.Range(0, requests).Select(_ => router.ConsumeAsync(body, default).AsTask())];
        Assert.Equal(1, turns.Count);

        int run = 0;
        for (; turns.Count > 0; run++)
        {
            turns.RunOne();
        }

        Assert.Equal(turnsNeeded, run);
        Assert.Equal(turnsNeeded, region.Deliveries);
        Assert.All(await Task.WhenAll(outcomes), outcome => Assert.Equal(IntakeOutcome.Taken(1, 0), outcome));
    }

    [Fact]
    public async Task Consume_OneOfThemTooLarge_IsRefusedAlone()
    {
        Turns turns = new();
        ShardRouter router = new(_region, 1, new TraceIdHasher(7), schedule: turns.Add);
        Task<IntakeOutcome> first = router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default).AsTask();
        Task<IntakeOutcome> large = router.ConsumeAsync(Amplified(1_000, 100_000, _ => 1).ToBytes(), default).AsTask();
        Task<IntakeOutcome> last = router.ConsumeAsync(new TraceBuilder().Span(2, 2).Span(2, 3).ToBytes(), default).AsTask();
        turns.RunOne();

        Assert.Equal(IntakeOutcome.Taken(1, 0), await first);
        Assert.StartsWith("its spans of one shard take 1", (await large).Excess);
        Assert.Equal(IntakeOutcome.Taken(2, 0), await last);
        Assert.Equal(2, _region.Frames.Count);
    }

    [Fact]
    public async Task Consume_TogetherLargerThanTheRoom_GoOneByOneAsFarAsItGoes()
    {
        byte[] body = Amplified(scopes: 10, resource: 10_000, trace => trace).ToBytes();
        TaskCompletionSource<Refusal> acknowledgement = new();
        SilentRegion region = new() { Answer = acknowledgement.Task };
        Turns turns = new();
        ShardRouter router = new(region, 1, new TraceIdHasher(7), 2 * Plan(body, 8).Length, turns.Add);
        Task<IntakeOutcome>[] outcomes = [.. Enumerable.Range(0, 3).Select(_ => router.ConsumeAsync(body, default).AsTask())];
        turns.RunOne();

        Assert.Equal(IntakeOutcome.Refused(Refusal.InFlightBytes), await outcomes[2]);
        Assert.Equal(2, region.Deliveries);
        acknowledgement.SetResult(Refusal.None);
        Assert.Equal([IntakeOutcome.Taken(10, 0), IntakeOutcome.Taken(10, 0)], await Task.WhenAll(outcomes[..2]));
    }

    [Fact]
    public async Task Consume_RegionRefusesOrFails_AllThatWentTogetherHearIt()
    {
        Turns turns = new();
        SilentRegion region = new() { Answer = Task.FromResult(Refusal.PeerBusy) };
        ShardRouter router = new(region, 1, new TraceIdHasher(7), schedule: turns.Add);
        Task<IntakeOutcome>[] refused = [.. Enumerable.Range(1, 2).Select(i => router.ConsumeAsync(new TraceBuilder().Span((ulong)i, 1).ToBytes(), default).AsTask())];
        turns.RunOne();
        Assert.Equal([IntakeOutcome.Refused(Refusal.PeerBusy), IntakeOutcome.Refused(Refusal.PeerBusy)], await Task.WhenAll(refused));

        region.Answer = Task.FromException<Refusal>(new InvalidTimeZoneException());
        Task<IntakeOutcome>[] failed = [.. Enumerable.Range(1, 2).Select(i => router.ConsumeAsync(new TraceBuilder().Span((ulong)i, 1).ToBytes(), default).AsTask())];
        turns.RunOne();
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => failed[0]);
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => failed[1]);

        // What was charged for them is free again.
        region.Answer = Task.FromResult(Refusal.None);
        Task<IntakeOutcome> taken = router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default).AsTask();
        turns.RunOne();
        Assert.Equal(IntakeOutcome.Taken(1, 0), await taken);
    }

    [Fact]
    public async Task Consume_ClientIsGoneAlready_IsNotTaken()
    {
        await Assert.ThrowsAsync<TaskCanceledException>(
            () => _router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), new CancellationToken(canceled: true)).AsTask());
        Assert.Empty(_region.Frames);
    }

    [Fact]
    public async Task Consume_FromManyThreads_AnswersEach()
    {
        ShardRouter router = new(new SilentRegion(), 1, new TraceIdHasher(7));
        await Task.WhenAll(Enumerable.Range(1, 8).Select(async thread =>
        {
            await Task.Yield();
            for (int i = 1; i <= 500; i++)
            {
                TraceBuilder builder = new();
                for (int span = 1; span <= thread; span++)
                {
                    builder.Span((ulong)i, (ulong)span);
                }

                Assert.Equal(IntakeOutcome.Taken(thread, 0), await router.ConsumeAsync(builder.ToBytes(), default));
            }
        }));
    }

    [Fact]
    public async Task Consume_SecondRequestOfTheSameSize_AllocatesNothing()
    {
        TraceBuilder builder = new();
        for (ulong i = 1; i < 300; i++)
        {
            builder.Span(1 + i % 100, i);
        }

        byte[] body = builder.ToBytes();
        ShardRouter router = new(new SilentRegion(), 1, new TraceIdHasher(7), schedule: turn => turn.Execute());
        await router.ConsumeAsync(body, default);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            await router.ConsumeAsync(body, default);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>One resource over many scopes, a span each.</summary>
    private static TraceBuilder Amplified(int scopes, int resource, Func<ulong, ulong> trace)
    {
        TraceBuilder builder = new TraceBuilder().Resource("r").ResourceAttribute("filler", new string('x', resource));
        for (ulong i = 1; i <= (ulong)scopes; i++)
        {
            builder.Scope("s" + i).Span(trace(i), i);
        }

        return builder;
    }

    private static FramePlan Plan(byte[] body, int shards)
    {
        SplitRequest split = new(new TraceIdHasher(7));
        Assert.Equal(WireError.None, TraceSplitter.Split(body, split, out _));
        return new FrameWriter(1).Plan([split], ShardAllocation.Alone(new MemberId("self", 1), shards));
    }

    private static IEnumerable<string> Describe(ExportTraceServiceRequest request) =>
        request.ResourceSpans.SelectMany(r => r.ScopeSpans.SelectMany(s => s.Spans.Select(span => Describe(r, s, span))));

    /// <summary>All spans of frames, each with what it stands under; the frames are looked at, too.</summary>
    private static List<string> Describe(IEnumerable<(int Shard, byte[] Bytes)> frames)
    {
        List<string> found = [];
        foreach ((int shard, byte[] bytes) in frames)
        {
            Assert.True(FrameReader.TryOpen(bytes, out FrameReader frame));
            Assert.Equal(shard, frame.Header.Shard);
            Assert.Equal(5u, frame.Header.Term);
            Assert.Equal(42ul, frame.Header.Sender);
            Assert.Equal(bytes.Length, frame.Header.Length);
            foreach (FrameSlice slice in frame.Slices)
            {
                Assert.Equal(shard, slice.TraceId.Shard(8));
                FrameContext context = frame.Contexts[slice.Context];
                ReadOnlySpan<byte> fields = frame.Context(context);
                ResourceSpans resource = ResourceSpans.Parser.ParseFrom(fields[..context.ResourceLength]);
                ScopeSpans scope = ScopeSpans.Parser.ParseFrom(fields[context.ResourceLength..]);
                ScopeSpans spans = ScopeSpans.Parser.ParseFrom(frame.Spans(slice));
                Assert.Equal(slice.SpanCount, spans.Spans.Count);
                found.AddRange(spans.Spans.Select(span => Describe(resource, scope, span)));
            }
        }

        return found;
    }

    private static string Describe(ResourceSpans resource, ScopeSpans scope, Span span) =>
        $"{resource.Resource}|{resource.SchemaUrl}|{scope.Scope}|{scope.SchemaUrl}|{span}";

    /// <summary>Turns that are executed when the test says so.</summary>
    private sealed class Turns
    {
        private readonly Queue<IThreadPoolWorkItem> _turns = new();

        public int Count => _turns.Count;

        public void Add(IThreadPoolWorkItem turn) => _turns.Enqueue(turn);

        public void RunOne() => _turns.Dequeue().Execute();
    }

    private sealed class SilentRegion : IShardRegion
    {
        public ShardAllocation Allocation { get; } = new(1, Enumerable.Repeat(new ShardAssignment(new MemberId("self", 1), 5, []), 8));

        public Refusal Admission => Refusal.None;

        public Task<Refusal> Answer { get; set; } = Task.FromResult(Refusal.None);

        public long DeliveredBytes { get; private set; }

        public int Deliveries { get; private set; }

        public ValueTask<Refusal> DeliverAsync(FrameBatch batch)
        {
            DeliveredBytes += batch.Length;
            Deliveries++;
            return new(Answer);
        }
    }

    private sealed class RecordingRegion(int shards) : IShardRegion
    {
        public List<(int Shard, byte[] Bytes)> Frames { get; } = [];

        public Refusal Refusal { get; set; }

        public ShardAllocation Allocation { get; } = new(1, Enumerable.Repeat(new ShardAssignment(new MemberId("self", 1), 5, []), shards));

        public Refusal Admission { get; set; }

        public ValueTask<Refusal> DeliverAsync(FrameBatch batch)
        {
            for (int i = 0; i < batch.Count; i++)
            {
                Frames.Add((batch.Shard(i), batch.Frame(i).ToArray()));
            }

            return new(Refusal);
        }
    }
}
