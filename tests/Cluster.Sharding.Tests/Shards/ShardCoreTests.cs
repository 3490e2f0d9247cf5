using Cluster.Messages.Sharding;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Sharding.Tests.Shards;

public sealed class ShardCoreTests
{
    private static readonly ShardRegionOptions Options = new() { DecisionWait = TimeSpan.FromSeconds(5) };

    [Fact]
    public void Advance_DecisionWaitSinceTheFirstSpan_DecidesOverTheWholeTrace()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Resource("a").Span(1, 1, name: "root"));
        shard.Pass(4000);
        shard.Send(new TraceBuilder().Resource("b").Span(1, 2, parent: 1, name: "child").Error());
        shard.Pass(990);
        Assert.Empty(shard.Kept().Spans());

        shard.Pass(20);

        Assert.Equal(["root", "child"], shard.Kept().Names());
        Assert.Equal(CompletionReason.DecisionWait, shard.Decision(1)!.Value.Reason);
        Assert.Equal(Decision.Sampled, shard.Decision(1)!.Value.Decision);
        Assert.Equal(0, shard.Core.PendingTraces);
        Assert.Equal(0, shard.Core.Log.LiveEntries);
        Assert.Equal(0, shard.Contexts.Live);
    }

    [Fact]
    public void Advance_NoPolicyWantsIt_IsForgottenButRemembered()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(5010);

        Assert.Empty(shard.Kept().Spans());
        Assert.Equal(Decision.NotSampled, shard.Decision(1)!.Value.Decision);
        Assert.Equal(-1, shard.Decision(1)!.Value.Policy);
        Assert.Equal(0, shard.Core.Log.LiveEntries);
    }

    [Fact]
    public void Advance_RootReceived_DecidesEarlierWithSubSecondPrecision()
    {
        using ShardHarness shard = new(options: Options with { DecisionWaitAfterRootReceived = TimeSpan.FromMilliseconds(250) });
        shard.Send(new TraceBuilder().Span(1, 2, parent: 1));
        shard.Pass(1000);
        shard.Send(new TraceBuilder().Span(1, 1).Error());
        shard.Pass(250);
        Assert.Equal(1, shard.Core.PendingTraces);

        shard.Pass(10);

        Assert.Equal(CompletionReason.RootReceived, shard.Decision(1)!.Value.Reason);
        Assert.Equal(2, shard.Kept().Spans().Count);
    }

    [Fact]
    public void Advance_RootReceivedLate_NeverDelaysTheDecision()
    {
        using ShardHarness shard = new(options: Options with { DecisionWaitAfterRootReceived = TimeSpan.FromSeconds(3) });
        shard.Send(new TraceBuilder().Span(1, 2, parent: 1));
        shard.Pass(4000);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(1010);

        Assert.Equal(CompletionReason.DecisionWait, shard.Decision(1)!.Value.Reason);
    }

    [Fact]
    public void Advance_TreeClosed_DecidesOnceQuiet()
    {
        using ShardHarness shard = new(options: Options with { Settle = TimeSpan.FromMilliseconds(500) });
        shard.Send(new TraceBuilder().Span(1, 1).Span(1, 3, parent: 2));
        shard.Pass(1000);
        Assert.Equal(1, shard.Core.PendingTraces); // span 2 is missing

        shard.Send(new TraceBuilder().Span(1, 2, parent: 1));
        shard.Pass(400);
        shard.Send(new TraceBuilder().Span(1, 4, parent: 1));
        shard.Pass(400);
        Assert.Equal(1, shard.Core.PendingTraces); // not quiet for long enough

        shard.Pass(110);
        Assert.Equal(CompletionReason.TreeClosed, shard.Decision(1)!.Value.Reason);
        Assert.Equal(4, shard.Decision(1)!.Value.SpanCount);
    }

    [Fact]
    public void Advance_TreeReopened_WaitsAgain()
    {
        using ShardHarness shard = new(options: Options with { Settle = TimeSpan.FromMilliseconds(500) });
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(300);
        shard.Send(new TraceBuilder().Span(1, 9, parent: 8));
        shard.Pass(1000);
        Assert.Equal(1, shard.Core.PendingTraces);
        shard.Pass(4000);
        Assert.Equal(CompletionReason.DecisionWait, shard.Decision(1)!.Value.Reason);
    }

    [Fact]
    public void Advance_LongWait_SurvivesTurnsOfTheWheel()
    {
        using ShardHarness shard = new(options: Options with { DecisionWait = TimeSpan.FromSeconds(50) });
        for (ulong trace = 1; trace <= 60; trace++)
        {
            shard.Send(new TraceBuilder().Span(trace, 1));
            shard.Pass(1000);
        }

        Assert.Equal(50, shard.Core.PendingTraces);
        Assert.Equal(10, shard.Core.Remembered.Count);
        shard.Pass(50_010);
        Assert.Equal(60, shard.Core.Remembered.Count);
        Assert.Equal(60, shard.Statistics.Lateness[..4].Sum());
    }

    [Fact]
    public void Advance_ClockJumps_DecidesEverythingDue()
    {
        using ShardHarness shard = new(options: Options);
        for (ulong trace = 1; trace <= 100; trace++)
        {
            shard.Send(new TraceBuilder().Span(trace, 1));
            shard.Pass(10);
        }

        shard.Now += 3_600_000;
        Assert.True(shard.Core.Advance(shard.Now));
        Assert.Equal(0, shard.Core.PendingTraces);
    }

    [Fact]
    public void Deliver_RepeatedRequest_CountsSpansOnce()
    {
        using ShardHarness shard = new(options: Options);
        TraceBuilder request = new TraceBuilder().Span(1, 1).Error().Span(1, 2, parent: 1).Span(1, 3, parent: 1);
        shard.Send(request);
        shard.Send(request);
        Assert.Equal(1, shard.Core.Log.LiveEntries);
        shard.Pass(5010);

        Assert.Equal(3, shard.Kept().Spans().Count);
        Assert.Equal(3, shard.Decision(1)!.Value.SpanCount);
        Assert.Equal(3, shard.Statistics.RepeatedSpans);
    }

    [Fact]
    public void Deliver_PartlyRepeatedRequest_TakesWhatIsNew()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Span(1, 2, name: "b"));
        shard.Send(new TraceBuilder().Span(1, 1, name: "a").Error().Span(1, 2, name: "b").Span(1, 3, name: "c").Span(1, 4, name: "d"));
        shard.Pass(5010);

        Assert.Equal(["a", "b", "c", "d"], shard.Kept().Names().Order());
        Assert.Equal(1, shard.Statistics.RepeatedSpans);
    }

    [Fact]
    public void Deliver_SpanIdSharedByClientAndServer_KeepsBoth()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Resource("client").Span(1, 1, durationMs: 10).Kind(Span.Types.SpanKind.Client).Error());
        shard.Send(new TraceBuilder().Resource("server").Span(1, 1, startMs: 1, durationMs: 8).Kind(Span.Types.SpanKind.Server));
        shard.Pass(5010);

        Assert.Equal(2, shard.Kept().Spans().Count);
    }

    [Fact]
    public void Deliver_LateSpans_FollowTheDecision()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Span(1, 1).Error().Span(2, 1));
        shard.Pass(5010);
        shard.Kept();

        shard.Send(new TraceBuilder().Resource("late").Span(1, 9, parent: 1, name: "kept").Span(2, 9, parent: 1, name: "gone").Error());

        ExportTraceServiceRequest kept = shard.Kept();
        Assert.Equal(["kept"], kept.Names());
        Assert.Equal("late", kept.ResourceSpans[0].Resource.Attributes[0].Value.StringValue);
        Assert.Equal(0, shard.Core.PendingTraces);
        Assert.Equal(1, shard.Statistics.LateSpansSampled);
        Assert.Equal(1, shard.Statistics.LateSpansNotSampled);
        Assert.Equal(0, shard.Core.Log.LiveEntries);
    }

    [Fact]
    public void Deliver_ForgottenTrace_BeginsAnew()
    {
        using ShardHarness shard = new(options: Options with { NonSampledCacheSize = 2 });
        for (ulong trace = 1; trace <= 3; trace++)
        {
            shard.Send(new TraceBuilder().Span(trace, 1));
            shard.Pass(20);
        }

        shard.Pass(5010);
        Assert.Null(shard.Decision(1));
        shard.Send(new TraceBuilder().Span(1, 2));
        Assert.Equal(1, shard.Core.PendingTraces);
    }

    [Fact]
    public void Deliver_CachesOff_RemembersNothing()
    {
        using ShardHarness shard = new(options: Options with { NonSampledCacheSize = 0, SampledCacheSize = 0 });
        shard.Send(new TraceBuilder().Span(1, 1).Error());
        shard.Pass(5010);
        Assert.Equal(0, shard.Core.Remembered.Count);
        Assert.Single(shard.Kept().Spans());
    }

    [Fact]
    public void Deliver_LargerThanTheMaximum_IsNotSampledWithoutAskingThePolicies()
    {
        TraceBuilder request = new TraceBuilder().Span(1, 1).Error().With("filler", new string('x', 1000));
        using ShardHarness shard = new(options: Options with { MaximumTraceSizeBytes = 2000 });
        shard.Send(request);
        shard.Send(new TraceBuilder().Span(1, 2).Error().With("filler", new string('x', 1000)));

        Assert.Equal(CompletionReason.TooLarge, shard.Decision(1)!.Value.Reason);
        Assert.Equal(Decision.NotSampled, shard.Decision(1)!.Value.Decision);
        Assert.Equal(0, shard.Core.PendingTraces);
        shard.Pass(5010);
        Assert.Empty(shard.Kept().Spans());
        Assert.Equal([Vote.NotEvaluated], shard.Core.Remembered.Votes(shard.Core.Remembered.Find(TraceBuilder.TraceId(1))));
    }

    [Fact]
    public void Deliver_ExactlyTheMaximum_IsDecidedByThePolicies()
    {
        TraceBuilder request = new TraceBuilder().Span(1, 1).Error();
        using ShardHarness probe = new(options: Options);
        probe.Send(request);
        long size = probe.Core.PendingBytes;

        using ShardHarness shard = new(options: Options with { MaximumTraceSizeBytes = size });
        shard.Send(request);
        Assert.Equal(1, shard.Core.PendingTraces);
        using ShardHarness smaller = new(options: Options with { MaximumTraceSizeBytes = size - 1 });
        smaller.Send(request);
        Assert.Equal(0, smaller.Core.PendingTraces);
    }

    [Fact]
    public void Deliver_LowerTerm_IsRefused()
    {
        using ShardHarness shard = new();
        byte[] frame = new byte[Cluster.Messages.Frames.FrameHeader.Size];
        System.Runtime.InteropServices.MemoryMarshal.Write(
            frame, new Cluster.Messages.Frames.FrameHeader { Version = 1, Length = frame.Length, Term = 0 });
        Assert.True(Cluster.Messages.Frames.FrameReader.TryOpen(frame, out var reader));

        Assert.Equal(Refusal.NotOwner, shard.Core.Deliver(reader, 0));
        Assert.Equal(1, shard.Core.RefusedFrames);
    }

    [Fact]
    public void Advance_ExportersFull_WaitsAndThenGoesOn()
    {
        using ShardHarness shard = new(options: Options);
        for (ulong trace = 1; trace <= 10; trace++)
        {
            shard.Send(new TraceBuilder().Span(trace, 1).Error());
        }

        shard.Queue.HasRoom = false;
        shard.Pass(10_000);
        Assert.Equal(10, shard.Core.PendingTraces);

        shard.Send(new TraceBuilder().Span(3, 2)); // still taken: nothing was decided
        shard.Queue.HasRoom = true;
        shard.Pass(10);
        Assert.Equal(11, shard.Kept().Spans().Count);
    }

    [Fact]
    public void Advance_AddedWhileStopped_IsStillDecidedInTime()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Queue.HasRoom = false;
        shard.Pass(6000);
        shard.Send(new TraceBuilder().Span(2, 1));
        shard.Queue.HasRoom = true;
        shard.Pass(5010);
        Assert.Equal(0, shard.Core.PendingTraces);
    }

    [Fact]
    public void DecideOldest_IsByArrival_WithTheReason()
    {
        using ShardHarness shard = new(options: Options);
        shard.Send(new TraceBuilder().Span(2, 1).Error());
        shard.Pass(10);
        shard.Send(new TraceBuilder().Span(1, 1));

        Assert.True(shard.Core.DecideOldest(CompletionReason.TraceCount, shard.Now));

        Assert.Equal(CompletionReason.TraceCount, shard.Decision(2)!.Value.Reason);
        Assert.Equal(Decision.Sampled, shard.Decision(2)!.Value.Decision);
        Assert.Null(shard.Decision(1));
    }

    [Fact]
    public void Decide_PolicyOnTheResource_SeesItThroughTheContext()
    {
        using ShardHarness shard = new(
            """
            policies:
              - name: checkout
                type: string_attribute
                string_attribute: { key: service.name, values: [checkout] }
            """,
            Options);
        shard.Send(new TraceBuilder().Resource("checkout").Span(1, 1).Resource("cart").Span(2, 1).Span(1, 2));
        shard.Pass(5010);

        Assert.Equal([TraceBuilder.TraceId(1), TraceBuilder.TraceId(1)], shard.Kept().Spans().Select(s => Cluster.Messages.Identity.TraceId.Read(s.TraceId.Span)));
    }

    [Fact]
    public void Decide_Latency_IsOverAllSpans()
    {
        using ShardHarness shard = new(
            """
            policies:
              - name: slow
                type: latency
                latency: { threshold_ms: 500 }
            """,
            Options);
        shard.Send(new TraceBuilder().Span(1, 1, startMs: 100, durationMs: 100).Span(2, 1, startMs: 100, durationMs: 499));
        shard.Send(new TraceBuilder().Span(1, 2, startMs: 400, durationMs: 200));
        shard.Pass(5010);

        Assert.Equal(500_000_000, shard.Decision(1)!.Value.DurationNanoseconds);
        Assert.Equal(Decision.Sampled, shard.Decision(1)!.Value.Decision);
        Assert.Equal(Decision.NotSampled, shard.Decision(2)!.Value.Decision);
    }

    [Fact]
    public void RecordPolicy_WritesTheNameOnTheRootSpan()
    {
        using ShardHarness shard = new(options: Options with { RecordPolicy = true });
        shard.Send(new TraceBuilder().Resource("a").Span(1, 2, parent: 1, name: "child").Error());
        shard.Send(new TraceBuilder().Resource("b").Span(1, 3, parent: 1, name: "sibling").Span(1, 1, name: "root").With("k", "v").Span(1, 4, parent: 1, name: "last"));
        shard.Pass(5010);

        List<Span> spans = shard.Kept().Spans();
        Assert.Equal(4, spans.Count);
        Span root = spans.Single(s => s.Name == "root");
        Assert.Equal(["k", "tailsampling.policy"], root.Attributes.Select(a => a.Key));
        Assert.Equal("errors", root.Attributes[1].Value.StringValue);
        Assert.All(spans.Where(s => s.Name != "root"), s => Assert.DoesNotContain(s.Attributes, a => a.Key == "tailsampling.policy"));
    }

    [Fact]
    public void RecordPolicy_WithoutARoot_WritesItOnTheFirstSpan()
    {
        using ShardHarness shard = new(options: Options with { RecordPolicy = true });
        shard.Send(new TraceBuilder().Span(1, 2, parent: 1, name: "first").Error().Span(1, 3, parent: 1, name: "second"));
        shard.Pass(5010);

        Assert.Equal(["errors", null], shard.Kept().Spans().Select(s => s.Attributes.FirstOrDefault(a => a.Key == "tailsampling.policy")?.Value.StringValue));
    }

    [Fact]
    public void Write_ManyArrivalsUnderOneResource_MakesOneResourceSpans()
    {
        using ShardHarness shard = new(options: Options);
        for (ulong span = 1; span <= 50; span++)
        {
            shard.Send(new TraceBuilder().Resource(span % 2 == 0 ? "even" : "odd").Span(1, span, parent: span - 1).Error());
        }

        shard.Pass(5010);

        ExportTraceServiceRequest kept = shard.Kept();
        Assert.Equal(2, kept.ResourceSpans.Count);
        Assert.Equal(50, kept.Spans().Count);
    }

    [Fact]
    public void Write_HugeTrace_LeavesInSeveralRequestsWhole()
    {
        using ShardHarness shard = new(options: Options);
        for (ulong span = 1; span <= 100; span++)
        {
            shard.Send(new TraceBuilder().Span(1, span).Error().With("filler", new string('x', 50_000)));
        }

        shard.Pass(5010);

        Assert.True(shard.Queue.Queued.Count >= 5);
        Assert.All(shard.Queue.Queued, k => Assert.InRange(k.Bytes, 1, 2 << 20));
        Assert.Equal(1, shard.Queue.Traces);
        Assert.Equal(100, shard.Queue.Spans);
        Assert.Equal(100, shard.Kept().Spans().Select(s => s.SpanId).Distinct().Count());
    }
}
