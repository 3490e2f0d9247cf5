using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>What a client, or a damaged frame, could do to a shard.</summary>
public sealed class HostileInputTests
{
    private static readonly ShardRegionOptions Options = new() { DecisionWait = TimeSpan.FromSeconds(5) };

    [Fact]
    public void Deliver_LateSpansOfManyTracesUnderALargeResource_AreNotMultiplied()
    {
        using ShardHarness shard = new(options: Options);
        TraceBuilder first = new();
        TraceBuilder late = new TraceBuilder().Resource("r").ResourceAttribute("filler", new string('x', 100_000));
        for (ulong trace = 1; trace <= 1000; trace++)
        {
            first.Span(trace, 1).Error();
            late.Span(trace, 2, parent: 1, name: "late " + trace);
        }

        shard.Send(first);
        shard.Pass(5010);
        shard.Kept();

        shard.Send(late);

        long written = shard.Queue.Queued.Sum(t => (long)t.Bytes);
        ExportTraceServiceRequest kept = shard.Kept();
        Assert.Equal(1000, kept.Names().Distinct().Count());
        Assert.Single(kept.ResourceSpans);
        Assert.True(written < 1_000_000);
        Assert.Equal(2000, shard.Services.Writer.TotalTraces);
        Assert.Equal(2000, shard.Services.Writer.TotalSpans);
    }

    [Fact]
    public void Deliver_LateSpansUnderSeveralContexts_StayUnderTheirs()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Span(1, 1).Error().Span(2, 1).Error());
        shard.Pass(5010);
        shard.Kept();
        TraceBuilder late = new();
        for (ulong i = 0; i < 30; i++)
        {
            late.Resource("service " + i % 3).Scope("scope " + i % 2).Span(i % 2 + 1, 100 + i, name: $"{i % 3}/{i % 2}");
        }

        shard.Send(late);

        ExportTraceServiceRequest kept = shard.Kept();
        Assert.Equal(30, kept.Spans().Count);
        Assert.All(kept.ResourceSpans, r => Assert.All(r.ScopeSpans, s => Assert.All(s.Spans, span =>
            Assert.Equal($"{r.Resource.Attributes[0].Value.StringValue[^1]}/{s.Scope.Name[^1]}", span.Name))));
    }

    [Fact]
    public void Write_LargeResourceAndManySpans_RepeatsTheResourceInProportion()
    {
        using ShardHarness shard = new(options: Options);
        for (ulong part = 1; part <= 30; part++)
        {
            TraceBuilder request = new TraceBuilder().Resource("r").ResourceAttribute("filler", new string('r', 2_000_000));
            request.Span(1, part).Error().With("filler", new string('s', 300_000));
            shard.Send(request);
        }

        shard.Pass(5010);
        shard.Services.Writer.Flush();
        Assert.True(shard.Queue.Queued.Sum(t => (long)t.Bytes) < 3 * 30 * 300_000 + 2_100_000);
        Assert.Equal(30, shard.Kept().Spans().Count);
    }

    [Fact]
    public void Decide_PolicyThatThrows_EndsTheTraceWithVotesThatSaySo()
    {
        using ShardHarness shard = new(
            "policies: [{ name: few, type: rate_limiting, rate_limiting: { spans_per_second: 10 } }]", Options, new BrokenBudgets());
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(5010);

        Assert.Equal(0, shard.Core.PendingTraces);
        Assert.Equal(Decision.NotSampled, shard.Decision(1)!.Value.Decision);
        Assert.Equal(1, shard.Statistics.Votes[(int)Vote.Error]);
    }

    [Fact]
    public void Deliver_FrameOfAnotherShard_IsRefused()
    {
        using ShardHarness shard = new(options: Options);
        byte[] bytes = shard.Frames(new TraceBuilder().Span(1, 1).ToBytes())[0];
        MemoryMarshal.AsRef<FrameHeader>(bytes.AsSpan()).Shard = 7;
        Assert.True(FrameReader.TryOpen(bytes, out FrameReader frame));
        Assert.Equal(Refusal.NotOwner, shard.Core.Deliver(frame, shard.Now));
        Assert.Equal(0, shard.Core.PendingTraces);
    }

    [Fact]
    public void Deliver_DamagedFrames_NeitherThrowNorLeaveAnythingBehind()
    {
        Random random = new(12);
        byte[] whole;
        using (ShardHarness source = new())
        {
            TraceBuilder request = new TraceBuilder().Resource("a").Span(1, 1).Error().Span(1, 2, parent: 1).Span(2, 3).Resource("b").Span(1, 4).Span(3, 5).Error();
            whole = source.Frames(request.ToBytes())[0];
        }

        using ShardHarness shard = new(options: Options with { RecordPolicy = true, Settle = TimeSpan.FromMilliseconds(50), MaximumTraceSizeBytes = 100_000 });
        int opened = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. whole];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                bytes[random.Next(FrameHeader.Size, bytes.Length)] = (byte)random.Next(256);
            }

            if (FrameReader.TryOpen(bytes, out FrameReader frame))
            {
                opened++;
                shard.Core.Deliver(frame, shard.Now);
            }

            shard.Pass(10);
        }

        Assert.True(opened > 5000);
        shard.Pass(10_000);
        Assert.Equal(0, shard.Core.PendingTraces + shard.Core.PendingSpans + shard.Core.PendingBytes);
        Assert.Equal(0, shard.Core.Log.LiveEntries + shard.Contexts.Live);
        Assert.Equal(0, shard.Services.IndexBytes);
        Assert.Equal(0, shard.Statistics.Votes[(int)Vote.Error]);
    }

    [Fact]
    public void Deliver_SliceThatHoldsNoSpan_LeavesNoTrace()
    {
        using ShardHarness shard = new(options: Options with { RecordPolicy = true });
        byte[] bytes = shard.Frames(new TraceBuilder().Span(1, 1).Error().ToBytes())[0];
        Assert.True(FrameReader.TryOpen(bytes, out FrameReader frame));
        bytes.AsSpan(frame.Slices[0].Offset + 1, 5).Fill(0xFF);
        shard.Core.Deliver(frame, shard.Now);
        Assert.Equal(0, shard.Core.PendingTraces);
        Assert.Equal(0, shard.Contexts.Live + shard.Core.Log.LiveEntries);
    }

    [Fact]
    public void Advance_AfterAFlood_GivesUpLargeTablesAndKeepsWhatIsPending()
    {
        using ShardHarness shard = new(options: Options with { DecisionWait = TimeSpan.FromSeconds(30), Settle = TimeSpan.FromSeconds(2) });
        for (ulong part = 0; part < 20; part++)
        {
            TraceBuilder flood = new();
            for (ulong i = 1; i <= 1000; i++)
            {
                // Nine of ten are closed at once; the others wait for a parent.
                ulong trace = part * 1000 + i;
                flood.Span(trace, 5, parent: i % 10 == 0 ? 4ul : 0, name: "n" + trace).Error();
            }

            shard.Send(flood);
        }

        TraceTable before = shard.Core.Traces;
        shard.Pass(2500);
        Assert.Equal(2000, shard.Core.PendingTraces);
        Assert.NotSame(before, shard.Core.Traces);
        Assert.False(shard.Core.Traces.IsSparse);

        shard.Send(new TraceBuilder().Span(10, 4, name: "parent").Span(20, 4, parent: 3)); // closes one, the other goes on waiting
        shard.Pass(2100);
        Assert.Equal(CompletionReason.TreeClosed, shard.Decision(10)!.Value.Reason);
        Assert.Equal(1999, shard.Core.PendingTraces);
        shard.Pass(30_000);
        Assert.Equal(20_002, shard.Kept().Names().Distinct().Count());
        Assert.Equal(0, shard.Services.IndexBytes);
        Assert.Equal(0, shard.Core.Log.LiveEntries);
    }

    [Fact]
    public void RecordPolicy_NameOfAnyLength_IsWritten()
    {
        string name = new('p', 300_000);
        using ShardHarness shard = new($"policies: [{{ name: {name}, type: always_sample }}]", Options with { RecordPolicy = true });
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(5010);
        Assert.Equal(name, Assert.Single(shard.Kept().Spans()).Attributes[0].Value.StringValue);
    }

    [Fact]
    public void Deliver_DecisionWaitOfZero_DecidesInTheNextStep()
    {
        using ShardHarness shard = new(options: Options with { DecisionWait = TimeSpan.Zero });
        shard.Send(new TraceBuilder().Span(1, 1).Error());
        Assert.Equal(1, shard.Core.PendingTraces);
        shard.Pass(20);
        Assert.Single(shard.Kept().Spans());
    }

    private sealed class BrokenBudgets : IBudgets
    {
        public bool CanTake(int budget, long amount, long nowMilliseconds) => throw new InvalidOperationException("broken");

        public bool TryTake(int budget, long amount, long nowMilliseconds) => throw new InvalidOperationException("broken");
    }
}
