using Cluster.Gateway.Receivers;
using Cluster.Gateway.Routing;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>One shard under a manual clock, with real frames in and decoded requests out.</summary>
internal sealed class ShardHarness : IDisposable
{
    public const string Errors = """
        policies:
          - name: errors
            type: status_code
            status_code: { status_codes: [ERROR] }
        """;

    private readonly SlabPool _slabs = new();
    private readonly ShardServices _services;
    private readonly FrameCapture _frames = new();
    private readonly ShardRouter _router;

    public ShardHarness(string policies = Errors, ShardRegionOptions? options = null, IBudgets? budgets = null, IKeptTraceQueue? queue = null)
    {
        ConfigurationErrors errors = new();
        PolicySet? set = PolicyCompiler.Parse(policies, errors);
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        TraceIdHasher hasher = new(7);
        options = (options ?? new ShardRegionOptions()) with { ShardCount = 1 };
        _services = new ShardServices(options, set!, budgets ?? new TokenBuckets(set!.Budgets), _slabs, queue ?? Queue, hasher);
        Core = new ShardCore(0, 1, _services, Now);
        _router = new ShardRouter(_frames, 1, hasher, schedule: turn => turn.Execute());
    }

    public long Now { get; set; } = 1000;

    public ShardCore Core { get; }

    public QueueFake Queue { get; } = new();

    public WorkerStatistics Statistics => _services.Statistics;

    public ContextTable Contexts => _services.Contexts;

    public ShardServices Services => _services;

    public SpanIdSets SpanIds => _services.SpanIds;

    public long SlabBytes => _slabs.BytesInUse;

    public Refusal Send(TraceBuilder request) => Send(request.ToBytes());

    public Refusal Send(byte[] request)
    {
        Refusal refusal = Refusal.None;
        foreach (byte[] bytes in Frames(request))
        {
            Assert.True(FrameReader.TryOpen(bytes, out FrameReader frame));
            refusal = Core.Deliver(frame, Now);
        }

        return refusal;
    }

    /// <summary>The frames that a gateway makes of a request.</summary>
    public List<byte[]> Frames(byte[] request)
    {
        Task<IntakeOutcome> consumed = _router.ConsumeAsync(request, default).AsTask();
        Assert.True(consumed.IsCompleted);
        IntakeOutcome outcome = consumed.GetAwaiter().GetResult();
        Assert.Equal(Refusal.None, outcome.Refusal);
        return _frames.TakeAll();
    }

    /// <summary>Lets time pass in steps of the wheel, as the clock of a worker loop does.</summary>
    public void Pass(double milliseconds)
    {
        for (long end = Now + (long)milliseconds; Now < end;)
        {
            Now = Math.Min(end, Now + TimingWheel.StepMilliseconds);
            Core.Advance(Now);
        }
    }

    /// <summary>The kept traces since the last call, decoded.</summary>
    public ExportTraceServiceRequest Kept()
    {
        _services.Writer.Flush();
        return Queue.TakeAll();
    }

    public RememberedDecision? Decision(ulong trace)
    {
        int entry = Core.Remembered.Find(TraceBuilder.TraceId(trace));
        return entry == 0 ? null : Core.Remembered[entry];
    }

    public void Dispose()
    {
        Core.Dispose();
        _services.Dispose();
        Assert.Equal(0, _slabs.BytesInUse);
        _slabs.Dispose();
    }

    private sealed class FrameCapture : IShardRegion
    {
        private readonly List<byte[]> _frames = [];

        public ShardAllocation Allocation { get; } = ShardAllocation.Alone(new MemberId("self", 1), 1);

        public Refusal Admission => Refusal.None;

        public ValueTask<Refusal> DeliverAsync(FrameBatch batch)
        {
            for (int i = 0; i < batch.Count; i++)
            {
                _frames.Add(batch.Frame(i).ToArray());
            }

            return new(Refusal.None);
        }

        public List<byte[]> TakeAll()
        {
            List<byte[]> all = [.. _frames];
            _frames.Clear();
            return all;
        }
    }
}

/// <summary>A queue of kept traces that can be full.</summary>
internal sealed class QueueFake : IKeptTraceQueue
{
    private readonly List<KeptTraces> _queued = [];
    private volatile bool _hasRoom = true;

    public bool HasRoom
    {
        get => _hasRoom && RoomFor > 0;
        set => _hasRoom = value;
    }

    /// <summary>Requests that there is room for.</summary>
    public int RoomFor { get; set; } = int.MaxValue;

    public int Traces { get; private set; }

    public int Spans { get; private set; }

    public void Enqueue(KeptTraces traces)
    {
        lock (_queued)
        {
            _queued.Add(traces);
            RoomFor--;
            Traces += traces.TraceCount;
            Spans += traces.SpanCount;
        }
    }

    public IReadOnlyList<KeptTraces> Queued
    {
        get
        {
            lock (_queued)
            {
                return [.. _queued];
            }
        }
    }

    public ExportTraceServiceRequest TakeAll()
    {
        ExportTraceServiceRequest all = new();
        lock (_queued)
        {
            foreach (KeptTraces traces in _queued)
            {
                all.MergeFrom(ExportTraceServiceRequest.Parser.ParseFrom(traces.Request.Span));
                traces.Release();
            }

            _queued.Clear();
        }

        return all;
    }
}

/// <summary>Requests as a gateway hands them to a region of so many shards.</summary>
internal sealed class RequestFrames(int shards, FrameBatch copy) : IShardRegion
{
    public ShardAllocation Allocation { get; } = ShardAllocation.Alone(new MemberId("self", 1), shards);

    public Refusal Admission => Refusal.None;

    public static FrameBatch Of(byte[] request, int shards)
    {
        FrameBatch batch = new();
        Assert.True(new ShardRouter(new RequestFrames(shards, batch), 1, new TraceIdHasher(7), schedule: turn => turn.Execute())
            .ConsumeAsync(request, default).AsTask().IsCompleted);
        return batch;
    }

    public ValueTask<Refusal> DeliverAsync(FrameBatch batch)
    {
        Span<byte> bytes = copy.Reset(batch.Length);
        int offset = 0;
        for (int i = 0; i < batch.Count; i++)
        {
            batch.Frame(i).CopyTo(bytes[offset..]);
            copy.Add(batch.Shard(i), offset, batch.Frame(i).Length, 0);
            offset += batch.Frame(i).Length;
        }

        return new(Refusal.None);
    }
}

internal static class Requests
{
    public static List<Span> Spans(this ExportTraceServiceRequest request) =>
        [.. request.ResourceSpans.SelectMany(r => r.ScopeSpans.SelectMany(s => s.Spans))];

    public static List<string> Names(this ExportTraceServiceRequest request) => [.. request.Spans().Select(s => s.Name)];

    /// <summary>Every span with all it stands under, as bytes with unknown fields, sorted: what must be the same before and after.</summary>
    public static List<string> Flat(this ExportTraceServiceRequest request)
    {
        List<string> flat = [];
        foreach (ResourceSpans resourceSpans in request.ResourceSpans)
        {
            ResourceSpans resource = resourceSpans.Clone();
            resource.ScopeSpans.Clear();
            foreach (ScopeSpans scopeSpans in resourceSpans.ScopeSpans)
            {
                ScopeSpans scope = scopeSpans.Clone();
                scope.Spans.Clear();
                flat.AddRange(scopeSpans.Spans.Select(span => $"{Hex(resource)}|{Hex(scope)}|{Hex(span)}"));
            }
        }

        flat.Sort(StringComparer.Ordinal);
        return flat;
    }

    private static string Hex(IMessage message) => Convert.ToHexString(message.ToByteArray());
}
