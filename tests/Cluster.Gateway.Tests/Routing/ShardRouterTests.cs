using Cluster.Gateway.Receivers;
using Cluster.Gateway.Routing;
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
        List<string> expected = [.. request.ResourceSpans.SelectMany(r => r.ScopeSpans.SelectMany(s => s.Spans.Select(span => Describe(r, s, span))))];
        List<string> actual = [];
        foreach ((int shard, byte[] bytes) in _region.Frames)
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
                actual.AddRange(spans.Spans.Select(span => Describe(resource, scope, span)));
            }
        }

        Assert.Equal(expected.Order(), actual.Order());
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

    [Fact]
    public async Task Consume_RequestThatWouldBeThousandsOfTimesLargerInFrames_IsRefused()
    {
        // Each of 2,000 scopes takes the resource of 1 MB along: 2 GB, and more than an int can count with 10,000.
        foreach (int scopes in (int[])[2_000, 10_000])
        {
            TraceBuilder builder = new TraceBuilder().Resource("r").ResourceAttribute("filler", new string('x', 1_000_000));
            for (int i = 1; i <= scopes; i++)
            {
                builder.Scope("s" + i).Span((ulong)i, (ulong)i);
            }

            Assert.Equal(IntakeOutcome.Refused(Refusal.InFlightBytes), await _router.ConsumeAsync(builder.ToBytes(), default));
        }

        Assert.Empty(_region.Frames);
        Assert.Equal(IntakeOutcome.Taken(1, 0), await _router.ConsumeAsync(new TraceBuilder().Span(1, 1).ToBytes(), default));
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
        ShardRouter router = new(new SilentRegion(), 1, new TraceIdHasher(7));
        await router.ConsumeAsync(body, default);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            ValueTask<IntakeOutcome> outcome = router.ConsumeAsync(body, default);
            Assert.True(outcome.IsCompletedSuccessfully);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static string Describe(ResourceSpans resource, ScopeSpans scope, Span span) =>
        $"{resource.Resource}|{resource.SchemaUrl}|{scope.Scope}|{scope.SchemaUrl}|{span}";

    private sealed class SilentRegion : IShardRegion
    {
        public ShardAllocation Allocation { get; } = new(1, Enumerable.Repeat(new ShardAssignment(new MemberId("self", 1), 5, []), 8));

        public Refusal Admission => Refusal.None;

        public ValueTask<Refusal> DeliverAsync(FrameBatch batch, CancellationToken cancellationToken) => new(Refusal.None);
    }

    private sealed class RecordingRegion(int shards) : IShardRegion
    {
        public List<(int Shard, byte[] Bytes)> Frames { get; } = [];

        public Refusal Refusal { get; set; }

        public ShardAllocation Allocation { get; } = new(1, Enumerable.Repeat(new ShardAssignment(new MemberId("self", 1), 5, []), shards));

        public Refusal Admission { get; set; }

        public ValueTask<Refusal> DeliverAsync(FrameBatch batch, CancellationToken cancellationToken)
        {
            for (int i = 0; i < batch.Count; i++)
            {
                Frames.Add((batch.Shard(i), batch.Frame(i).ToArray()));
            }

            return new(Refusal);
        }
    }
}
