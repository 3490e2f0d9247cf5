using System.Collections.Concurrent;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// The shell around the shards of one worker loop: one mailbox, pumped by one thread-pool thread at a time, so that nothing inside needs
/// a lock. Messages are deliveries, clock ticks and questions. Its load is bounded by what the gateways let in.
/// <code>
///   open --DrainAsync--> draining (deliveries are refused) --CloseAsync--> closed (questions too; memory is freed)
/// </code>
/// Invariants: at most one thread is inside; a message that was posted is looked at; every delivery and question is answered, whatever
/// happens on the way.
/// </summary>
internal sealed class ShardWorker : IThreadPoolWorkItem
{
    private const int MessagesPerTurn = 32;

    private static readonly object ClockTick = new();

    /// <summary>Share of the soft memory limit from which on a trace counts as a large one.</summary>
    private const int LargeTraceShare = 64;

    private readonly ConcurrentQueue<object> _mailbox = new();
    private readonly ShardCore?[] _shards;
    private readonly ShardCore[] _own;
    private readonly ShardServices _services;
    private readonly RegionLoad _load;
    private readonly TimeProvider _time;
    private readonly long _start;
    private int _scheduled;
    private int _tickPosted;

    // The loop's own.
    private State _state;
    private int _firstShard;
    private long _saidIndexBytes;
    private long _saidPendingTraces;

    /// <summary>A worker with every <paramref name="count"/>-th shard.</summary>
    public ShardWorker(
        int index, int count, ShardAllocation allocation, ShardServices services, RegionLoad load, TimeProvider time, long start)
    {
        _services = services;
        _load = load;
        _time = time;
        _start = start;
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

    /// <summary>Bytes in use besides slabs.</summary>
    public long IndexBytes => _services.IndexBytes;

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

    /// <summary>Takes no deliveries any more, decides (or discards) what is pending, and hands over what is kept.</summary>
    /// <param name="regardless">Also when the exporters have no room.</param>
    /// <returns>Whether nothing is pending any more; false when the exporters had no room.</returns>
    public Task<bool> DrainAsync(bool regardless) => AskAsync((shards, now) =>
    {
        _state = State.Draining;
        bool done = true;
        foreach (ShardCore shard in shards)
        {
            if (_services.Options.DropPendingTracesOnShutdown)
            {
                shard.DiscardAll();
            }

            while ((regardless || _services.Writer.HasRoom) && shard.DecideOldest(CompletionReason.Shutdown, now))
            {
            }

            done &= shard.PendingTraces == 0;
        }

        _services.Writer.Flush();
        return done;
    });

    /// <summary>Frees native memory. What comes afterwards is refused.</summary>
    public Task CloseAsync() => AskAsync((shards, _) =>
    {
        _state = State.Closed;
        foreach (ShardCore shard in shards)
        {
            shard.Dispose();
        }

        _services.Dispose();
        return true;
    });

    void IThreadPoolWorkItem.Execute()
    {
        long now = Now;
        int messages = 0;
        while (messages++ < MessagesPerTurn && _mailbox.TryDequeue(out object? message))
        {
            Run(message, now);
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

    private void Run(object message, long now)
    {
        try
        {
            if (message is Delivery delivery)
            {
                Deliver(delivery, now);
            }
            else if (message == ClockTick)
            {
                Tick(now);
            }
            else if (_state == State.Closed)
            {
                ((IQuestion)message).Refuse();
            }
            else
            {
                ((IQuestion)message).Run(_own, now);
            }
        }
        catch (Exception)
        {
            // Deliveries and questions answer for themselves; what failed here was due, and still is at the next tick.
            _services.Statistics.Failures++;
        }

        SayLoad();
    }

    private void Tick(long now)
    {
        Interlocked.Exchange(ref _tickPosted, 0);
        if (_state != State.Closed)
        {
            Advance(now);
        }
    }

    /// <summary>Adds to the region's load what has changed since the last time.</summary>
    private void SayLoad()
    {
        long indexBytes = IndexBytes;
        long pendingTraces = _services.Statistics.PendingTraces;
        _load.Add(indexBytes - _saidIndexBytes, pendingTraces - _saidPendingTraces);
        (_saidIndexBytes, _saidPendingTraces) = (indexBytes, pendingTraces);
    }

    private void Deliver(Delivery delivery, long now)
    {
        if (_state != State.Open)
        {
            delivery.Done(Refusal.ShuttingDown);
            return;
        }

        Refusal refusal = Refusal.None;
        Exception? failure = null;
        try
        {
            refusal = Deliver(delivery.Batch, now);
        }
        catch (OutOfMemoryException)
        {
            refusal = Refusal.Memory;
        }
        catch (Exception e)
        {
            _services.Statistics.Failures++;
            failure = e;
        }

        SayLoad();
        if (failure is null)
        {
            delivery.Done(refusal);
        }
        else
        {
            delivery.Fail(failure);
        }

        // To find the oldest costs a look at every shard: not for each request when thousands may wait, but before a hundredth too many do.
        RelieveTraceCount(_services.Options.NumTraces / 256, now);
    }

    private Refusal Deliver(FrameBatch batch, long now)
    {
        Refusal refusal = Refusal.None;
        for (int i = 0; i < batch.Count; i++)
        {
            if (_shards[batch.Shard(i)] is { } shard)
            {
                Refusal refused = FrameReader.TryOpen(batch.Frame(i), out FrameReader frame) ? shard.Deliver(frame, now) : Refusal.NotOwner;
                refusal = refused == Refusal.None ? refusal : refused;
            }
        }

        return refusal;
    }

    /// <summary>Decides as many traces as the region has too many, the oldest of this loop, once there are more of them than <paramref name="slack"/>.</summary>
    private void RelieveTraceCount(long slack, long now)
    {
        long excess = _load.PendingTraces - _services.Options.NumTraces;
        if (excess > slack)
        {
            DecideOldest(CompletionReason.TraceCount, excess, long.MaxValue, now);
        }
    }

    private void Advance(long now)
    {
        long before = _time.GetTimestamp();
        long decided = TotalDecisions();

        // Each tick begins with another shard, so that scarce room in the exporters is everyone's in turn.
        _firstShard = (_firstShard + 1) % _own.Length;
        for (int i = 0; i < _own.Length && _own[(_firstShard + i) % _own.Length].Advance(now); i++)
        {
        }

        RelieveTraceCount(slack: 0, now);
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
        if (_load.Bytes < soft)
        {
            return;
        }

        _services.Slabs.Trim();
        long toFree = soft / 8;
        foreach (ShardCore shard in _own)
        {
            shard.DecideLargerThan(soft / LargeTraceShare, CompletionReason.Memory, now, ref toFree);
        }

        DecideOldest(CompletionReason.Memory, long.MaxValue, toFree, now);
    }

    /// <summary>
    /// Decides pending traces, the oldest first to within a 64th of their age, until so many are decided, so many bytes are freed, or the
    /// exporters have no room.
    /// </summary>
    private void DecideOldest(CompletionReason reason, long traces, long bytes, long now)
    {
        long enough = Held - bytes;
        while (traces > 0 && Held > enough && OldestArrival() is { } arrival)
        {
            long cutoff = arrival + (now - arrival) / 64;
            foreach (ShardCore shard in _own)
            {
                while (traces > 0 && Held > enough && shard.OldestArrival <= cutoff)
                {
                    if (!_services.Writer.HasRoom)
                    {
                        return;
                    }

                    shard.DecideOldest(reason, now);
                    traces--;
                }
            }
        }
    }

    private long Held => _services.Statistics.PendingBytes + IndexBytes;

    private long? OldestArrival()
    {
        long? oldest = null;
        foreach (ShardCore shard in _own)
        {
            if (shard.OldestArrival is { } candidate && !(candidate >= oldest))
            {
                oldest = candidate;
            }
        }

        return oldest;
    }

    private long TotalDecisions() => _services.Statistics.Decisions[0] + _services.Statistics.Decisions[1] + _services.Statistics.Decisions[2];

    private enum State
    {
        Open,
        Draining,
        Closed,
    }

    private interface IQuestion
    {
        void Refuse();

        void Run(IReadOnlyList<ShardCore> shards, long now);
    }

    private sealed class Question<T>(Func<IReadOnlyList<ShardCore>, long, T> ask) : IQuestion
    {
        private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Answer => _answer.Task;

        public void Refuse() => _answer.SetException(new ObjectDisposedException(nameof(ShardRegion)));

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
