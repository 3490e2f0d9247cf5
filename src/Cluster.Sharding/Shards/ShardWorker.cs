using System.Collections.Concurrent;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Log;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// The shell around the shards of one worker loop: one mailbox, pumped by one thread-pool thread at a time, so that nothing inside needs
/// a lock. Messages are deliveries, clock ticks and questions. Its load is bounded by what the gateways let in.
/// </summary>
internal sealed class ShardWorker : IThreadPoolWorkItem, IDisposable
{
    private const int MessagesPerTurn = 32;

    private static readonly object ClockTick = new();

    /// <summary>Share of the soft memory limit from which on a trace counts as a large one.</summary>
    private const int LargeTraceShare = 64;

    private readonly ConcurrentQueue<object> _mailbox = new();
    private readonly ShardCore?[] _shards;
    private readonly ShardCore[] _own;
    private readonly ShardServices _services;
    private readonly SlabPool _slabs;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly long _traceLimit;
    private int _scheduled;
    private int _tickPosted;

    /// <summary>A worker with every <paramref name="count"/>-th shard.</summary>
    public ShardWorker(int index, int count, ShardAllocation allocation, ShardServices services, SlabPool slabs, TimeProvider time, long start)
    {
        _services = services;
        _slabs = slabs;
        _time = time;
        _start = start;
        _traceLimit = Math.Max(1, (services.Options.NumTraces + count - 1) / count);
        _shards = new ShardCore?[allocation.ShardCount];
        for (int shard = index; shard < allocation.ShardCount; shard += count)
        {
            _shards[shard] = new ShardCore(shard, allocation[shard].Term, services, Now);
        }

        _own = [.. _shards.OfType<ShardCore>()];
    }

    /// <summary>Counters, for anyone to read.</summary>
    public WorkerStatistics Statistics => _services.Statistics;

    /// <summary>Totals of the writer of kept traces, for anyone to read.</summary>
    public KeptTraceWriter Writer => _services.Writer;

    /// <summary>What the worker's shards share; its contents are the loop's alone.</summary>
    public ShardServices Services => _services;

    /// <summary>Decisions remembered by the worker's shards, for anyone to read.</summary>
    public long RememberedDecisions => _own.Sum(s => (long)s.Remembered.Count);

    /// <summary>Native bytes besides slabs: contexts and span ID sets.</summary>
    public long IndexBytes => _services.Contexts.Bytes + _services.SpanIds.Bytes;

    /// <summary>Monotonic milliseconds since the region began.</summary>
    private long Now => (long)_time.GetElapsedTime(_start).TotalMilliseconds;

    /// <summary>Delivers the frames of this worker's shards.</summary>
    public void Post(Delivery delivery)
    {
        _mailbox.Enqueue(delivery);
        Schedule();
    }

    /// <summary>Time has passed. One tick waits in the mailbox at most.</summary>
    public void Tick()
    {
        if (Interlocked.Exchange(ref _tickPosted, 1) == 0)
        {
            _mailbox.Enqueue(ClockTick);
            Schedule();
        }
    }

    /// <summary>Runs a question on the loop, with its shards and the time.</summary>
    public Task<T> AskAsync<T>(Func<IReadOnlyList<ShardCore>, long, T> question)
    {
        Question<T> message = new(question);
        _mailbox.Enqueue(message);
        Schedule();
        return message.Answer;
    }

    /// <summary>Decides (or discards) everything pending and hands over what is kept.</summary>
    public Task DrainAsync() => AskAsync<bool>((shards, now) =>
    {
        foreach (ShardCore shard in shards)
        {
            if (_services.Options.DropPendingTracesOnShutdown)
            {
                shard.DiscardAll();
            }

            while (shard.DecideOldest(CompletionReason.Shutdown, now))
            {
            }
        }

        _services.Writer.Flush();
        return true;
    });

    /// <summary>Frees native memory; nothing may be posted any more.</summary>
    public void Dispose()
    {
        foreach (ShardCore shard in _own)
        {
            shard.Dispose();
        }

        _services.Dispose();
    }

    void IThreadPoolWorkItem.Execute()
    {
        long now = Now;
        int messages = 0;
        while (messages++ < MessagesPerTurn && _mailbox.TryDequeue(out object? message))
        {
            if (message is Delivery delivery)
            {
                Deliver(delivery, now);
            }
            else if (message == ClockTick)
            {
                Interlocked.Exchange(ref _tickPosted, 0);
                Advance(now);
            }
            else
            {
                ((IQuestion)message).Run(_own, now);
            }
        }

        // A full fence between giving up the turn and looking once more: who posts in between sees one or the other.
        Interlocked.Exchange(ref _scheduled, 0);
        if (!_mailbox.IsEmpty)
        {
            Schedule();
        }
    }

    private void Schedule()
    {
        if (Interlocked.CompareExchange(ref _scheduled, 1, 0) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private void Deliver(Delivery delivery, long now)
    {
        FrameBatch batch = delivery.Batch;
        Refusal refusal = Refusal.None;
        for (int i = 0; i < batch.Count; i++)
        {
            if (_shards[batch.Shard(i)] is { } shard)
            {
                Refusal refused = FrameReader.TryOpen(batch.Frame(i), out FrameReader frame) ? shard.Deliver(frame, now) : Refusal.NotOwner;
                refusal = refused == Refusal.None ? refusal : refused;
            }
        }

        delivery.Done(refusal);
        while (_services.Statistics.PendingTraces > _traceLimit && _services.Writer.HasRoom && Oldest() is { } oldest)
        {
            oldest.DecideOldest(CompletionReason.TraceCount, now);
        }
    }

    private void Advance(long now)
    {
        long before = _time.GetTimestamp();
        long decided = TotalDecisions();
        foreach (ShardCore shard in _own)
        {
            if (!shard.Advance(now))
            {
                break;
            }
        }

        RelieveMemory(now);
        _services.Writer.Flush();
        if (TotalDecisions() != decided)
        {
            _services.Statistics.DecisionTicks += _time.GetElapsedTime(before).Ticks;
        }
    }

    /// <summary>
    /// Above the soft limit: an eighth of the limit's worth of traces at each tick until there is room again, large ones first, then the
    /// oldest.
    /// </summary>
    private void RelieveMemory(long now)
    {
        long soft = _services.Options.MemorySoftBytes;
        if (_slabs.BytesInUse < soft)
        {
            return;
        }

        long toFree = soft / 8;
        foreach (ShardCore shard in _own)
        {
            shard.DecideLargerThan(soft / LargeTraceShare, CompletionReason.Memory, now, ref toFree);
        }

        long before = _services.Statistics.PendingBytes;
        while (before - _services.Statistics.PendingBytes < toFree && _services.Writer.HasRoom && Oldest() is { } oldest)
        {
            oldest.DecideOldest(CompletionReason.Memory, now);
        }
    }

    private ShardCore? Oldest()
    {
        ShardCore? oldest = null;
        long arrival = long.MaxValue;
        foreach (ShardCore shard in _own)
        {
            if (shard.OldestArrival is { } candidate && candidate < arrival)
            {
                oldest = shard;
                arrival = candidate;
            }
        }

        return oldest;
    }

    private long TotalDecisions() => _services.Statistics.Decisions[0] + _services.Statistics.Decisions[1] + _services.Statistics.Decisions[2];

    private interface IQuestion
    {
        void Run(IReadOnlyList<ShardCore> shards, long now);
    }

    private sealed class Question<T>(Func<IReadOnlyList<ShardCore>, long, T> ask) : IQuestion
    {
        private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Answer => _answer.Task;

        public void Run(IReadOnlyList<ShardCore> shards, long now)
        {
            try
            {
                _answer.SetResult(ask(shards, now));
            }
            catch (Exception e)
            {
                _answer.SetException(e);
            }
        }
    }
}
