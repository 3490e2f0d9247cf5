using System.Collections.Concurrent;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Shards;

/// <summary>
/// The shell around the shards of one worker loop: one mailbox, pumped by one thread-pool thread at a time, so that nothing inside needs
/// a lock. Messages are deliveries, packets of peers, clock ticks, questions, and news of the cluster. Its load is bounded by what the gateways let in.
/// <code>
///   open --DrainAsync--> draining (deliveries are refused) --DisposeAsync--> closed (questions too; memory is freed)
/// </code>
/// Invariants: at most one thread is inside; a message that was posted is looked at; every delivery and question is answered, whatever
/// happens on the way.
/// </summary>
internal sealed class ShardWorker : IThreadPoolWorkItem, IShardHostEffects, IAsyncDisposable
{
    private const int MessagesPerTurn = 32;

    private static readonly object ClockTick = new();

    private readonly ConcurrentQueue<object> _mailbox = new();
    private readonly ShardHostCore _host;
    private readonly ShardServices _services;
    private readonly RegionLoad _load;
    private readonly MonotonicClock _clock;
    private readonly IWorkerWays _ways;
    private readonly int _index;
    private readonly int _count;
    private int _scheduled;
    private int _tickPosted;

    // The loop's own.
    private readonly PendingAnswers _answers = new();
    private readonly HandOverOrder _handOvers = new();
    private readonly Relief _relief;
    private State _state;
    private long _saidIndexBytes;
    private long _saidPendingTraces;
    private long _now;

    /// <summary>A worker with every <paramref name="count"/>-th shard.</summary>
    /// <param name="self">The member it works for.</param>
    /// <param name="index">Which worker it is.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="services">What its shards share.</param>
    /// <param name="load">Told what it holds.</param>
    /// <param name="ways">To the other members.</param>
    /// <param name="clock">The region's time.</param>
    private ShardWorker(MemberId self, int index, int count, ShardServices services, RegionLoad load, IWorkerWays ways, MonotonicClock clock)
    {
        _services = services;
        _load = load;
        _clock = clock;
        _ways = ways;
        _index = index;
        _count = count;
        _host = new ShardHostCore(self, services, this, Carries, Now);
        _relief = new Relief(_host, services, load);
        if (services.Options.KeepWholeFrames)
        {
            services.Writer.Done = Exported;
        }
    }

    /// <summary>As many workers as there are <paramref name="services"/>, each with every n-th shard.</summary>
    /// <param name="self">The member they work for.</param>
    /// <param name="services">What the shards of each share.</param>
    /// <param name="load">Told what they hold.</param>
    /// <param name="ways">To the other members.</param>
    /// <param name="clock">The region's time.</param>
    public static ShardWorker[] Open(
        MemberId self, IReadOnlyList<ShardServices> services, RegionLoad load, IWorkerWays ways, MonotonicClock clock) =>
        [.. services.Select((own, index) => new ShardWorker(self, index, services.Count, own, load, ways, clock))];

    /// <summary>Counters, for anyone to read.</summary>
    public WorkerStatistics Statistics => _services.Statistics;

    /// <summary>Totals of the writer of kept traces, for anyone to read.</summary>
    public KeptTraceWriter Writer => _services.Writer;

    /// <summary>What the worker's shards share; its contents are the loop's alone.</summary>
    public ShardServices Services => _services;

    /// <summary>Decisions remembered by the worker's shards, for anyone to read.</summary>
    public long RememberedDecisions => _host.Primaries.Sum(s => (long)s.Remembered.Count);

    /// <summary>Answers that its shards still owe; the loop's alone.</summary>
    public int OwedAnswers => _answers.Count;

    /// <summary>Bytes in use besides slabs.</summary>
    public long IndexBytes => _services.IndexBytes;

    /// <summary>What the primaries here say of their copies; a new list whenever it changes.</summary>
    public IReadOnlyList<ShardReport> Reports => _host.Reports;

    private long Now => _clock.Now;

    /// <summary>Whether a shard is this worker's.</summary>
    public bool Carries(int shard) => shard % _count == _index;

    /// <summary>Takes the frames of a delivery that were sent to this worker's shards.</summary>
    public void Post(Delivery delivery) => Enqueue(delivery);

    /// <summary>Takes the messages of a packet that are for this worker's shards. One reference to it is the worker's now.</summary>
    public void Post(MemberId from, PeerPacket packet) => Enqueue(new Received(from, packet));

    /// <summary>Time has passed. One tick waits in the mailbox at most.</summary>
    public void Tick()
    {
        if (Interlocked.Exchange(ref _tickPosted, 1) == 0)
        {
            Enqueue(ClockTick);
        }
    }

    /// <summary>A newer allocation.</summary>
    public void Apply(ShardAllocation allocation) => Enqueue(allocation);

    /// <summary>Until when the node's lease lasts, monotonic milliseconds.</summary>
    public void SetAuthority(long validUntil) => Enqueue(new Authority(validUntil));

    /// <summary>A connection to a member was made or lost.</summary>
    public void ConnectionChanged(MemberId peer, bool connected) => Enqueue(new Connection(peer, connected));

    /// <summary>The exporters are done with a hand-over of this worker's writer.</summary>
    public void Exported(long handOver) => Enqueue(new HandedOver(handOver));

    /// <summary>Runs a question on the loop, with the shards that it is primary of, and the time.</summary>
    public Task<T> AskAsync<T>(Func<IReadOnlyList<ShardCore>, long, T> question)
    {
        Question<T> message = new(question);
        Enqueue(message);
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
    public async ValueTask DisposeAsync() => await AskAsync((_, _) =>
    {
        _state = State.Closed;
        _host.Dispose();
        _services.Dispose();
        return true;
    });

    void IThreadPoolWorkItem.Execute()
    {
        _now = Now;
        IReadOnlyList<ShardReport> reports = _host.Reports;
        int messages = 0;
        while (messages++ < MessagesPerTurn && _mailbox.TryDequeue(out object? message))
        {
            Run(message, _now);
        }

        EndTurn();
        if (!ReferenceEquals(reports, _host.Reports))
        {
            _ways.ReportsChanged();
        }

        // A full fence between giving up the turn and looking once more: who posts in between sees one or the other.
        Interlocked.Exchange(ref _scheduled, 0);
        if (!_mailbox.IsEmpty)
        {
            Schedule();
        }
    }

    void IShardHostEffects.Answer(ulong token, Refusal refusal) => Answer(token, refusal);

    void IShardHostEffects.Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body) =>
        _ways.Send(to, kind, shard, id, payload, body);

    /// <summary>Answers whoever still waits under a token.</summary>
    private void Answer(ulong token, Refusal refusal)
    {
        if (!_answers.TryTake(token, out PendingAnswers.Entry entry))
        {
            return;
        }

        if (entry.Delivery is { } delivery)
        {
            delivery.Answered(entry.Generation, entry.Frame, entry.Attempt, refusal, _now);
        }
        else
        {
            _ways.Send(entry.Peer, PeerMessageKind.Delivered, 0, entry.Id, PeerAnswers.Delivered(refusal), []);
        }
    }

    private void Enqueue(object message)
    {
        _mailbox.Enqueue(message);
        Schedule();
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
            switch (message)
            {
                case Delivery delivery:
                    Deliver(delivery, now);
                    break;
                case Received received:
                    Receive(received, now);
                    break;
                case IQuestion question when _state == State.Closed:
                    question.Refuse();
                    break;
                case IQuestion question:
                    question.Run(_host.Primaries, now);
                    break;
                case var _ when message == ClockTick:
                    Tick(now);
                    break;
                case var _ when _state == State.Closed:
                    break;
                case ShardAllocation allocation:
                    _host.Apply(allocation, now);
                    break;
                case Authority authority:
                    _host.SetAuthority(authority.ValidUntil, now);
                    break;
                case Connection connection:
                    _host.ConnectionChanged(connection.Peer, connection.Connected, now);
                    break;
                case HandedOver handedOver when _handOvers.Add(handedOver.HandOver):
                    _host.Exported(_handOvers.UpTo);
                    break;
            }
        }
        catch (Exception)
        {
            // Deliveries and questions answer for themselves; what failed here was due, and still is at the next tick.
            _services.Statistics.Failures++;
        }

        SayLoad();
    }

    private void EndTurn()
    {
        // The lease may have ended while messages were taken.
        _now = Now;
        try
        {
            _host.EndTurn(_now);
        }
        catch (Exception)
        {
            _services.Statistics.Failures++;
        }
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
        Exception? failure = null;
        for (int i = 0; i < delivery.Batch.Count; i++)
        {
            if (Carries(delivery.Batch.Shard(i)) && delivery.TakeLocal(i) is > 0 and var attempt)
            {
                failure ??= Deliver(delivery, i, attempt, now);
            }
        }

        SayLoad();
        delivery.ReaderEnds(failure);

        // To find the oldest costs a look at every shard: not for each request when thousands may wait, but before a hundredth too many do.
        _relief.OfTraceCount(_services.Options.NumTraces / 256, now);
    }

    private Exception? Deliver(Delivery delivery, int frame, int attempt, long now)
    {
        if (_state != State.Open)
        {
            delivery.Refuse(Refusal.ShuttingDown);
            return null;
        }

        ulong token = 0;
        try
        {
            token = _answers.Add(delivery, frame, attempt);
            _host.Deliver(delivery.Batch.Shard(frame), delivery.Batch.Frame(frame), token, now);
            return null;
        }
        catch (OutOfMemoryException)
        {
            _answers.TryTake(token, out _);
            delivery.Answered(delivery.Generation, frame, attempt, Refusal.Memory, now);
            return null;
        }
        catch (Exception e)
        {
            _answers.TryTake(token, out _);
            _services.Statistics.Failures++;
            return e;
        }
    }

    /// <summary>Messages of a peer, as far as they are for shards of this worker.</summary>
    private void Receive(Received received, long now)
    {
        try
        {
            Refusal admission = _state == State.Open ? _ways.PeerAdmission : Refusal.ShuttingDown;
            PeerPacketReader messages = received.Packet.Read();
            while (_state != State.Closed && messages.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload))
            {
                if (!Carries(header.Shard))
                {
                    continue;
                }

                if (header.Kind == PeerMessageKind.Deliver)
                {
                    Deliver(header, payload, _answers.Add(received.From, header.Id), admission, now);
                }
                else if (header.Kind is PeerMessageKind.Replicate or PeerMessageKind.Replicated)
                {
                    _host.Receive(received.From, header, payload, now);
                }
            }
        }
        finally
        {
            received.Packet.Release();
        }

        _relief.OfTraceCount(_services.Options.NumTraces / 256, now);
    }

    /// <summary>A peer's frame. What goes wrong with it is not the next one's concern.</summary>
    private void Deliver(in PeerMessageHeader header, ReadOnlySpan<byte> frame, ulong token, Refusal admission, long now)
    {
        if (admission != Refusal.None)
        {
            Answer(token, admission);
            return;
        }

        try
        {
            _host.Deliver(header.Shard, frame, token, now);
        }
        catch (OutOfMemoryException)
        {
            Answer(token, Refusal.Memory);
        }
        catch (Exception)
        {
            // There is no refusal for a bug: its gateway's deadline ends it.
            _answers.TryTake(token, out _);
            _services.Statistics.Failures++;
        }
    }

    private void Advance(long now)
    {
        long before = _clock.Time.GetTimestamp();
        long decided = TotalDecisions();
        _host.Advance(now);
        _relief.OfTraceCount(slack: 0, now);
        _relief.OfMemory(now);
        _services.Writer.Flush();
        if (TotalDecisions() != decided)
        {
            _services.Statistics.DecisionTicks += _clock.Time.GetElapsedTime(before).Ticks;
        }
    }

    private long TotalDecisions() => _services.Statistics.Decisions[0] + _services.Statistics.Decisions[1] + _services.Statistics.Decisions[2];

    private enum State
    {
        Open,
        Draining,
        Closed,
    }

    private sealed record Received(MemberId From, PeerPacket Packet);

    private sealed record Authority(long ValidUntil);

    private sealed record Connection(MemberId Peer, bool Connected);

    private sealed record HandedOver(long HandOver);

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
