using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Log;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Region;

/// <summary>
/// A node's shards, and its way to everyone else's. A request's frames go to the mailboxes of the worker loops that carry their shards, one message
/// each, or over the links to the owners on other nodes, and the request is answered when all are in their logs. A node alone owns
/// every shard. Thread-safe.
/// </summary>
/// <remarks>
/// Invariants: nothing is taken once draining has begun, and what was taken before is decided by it; the hard limit counts what is held and
/// what is under way; a batch is read by worker loops only until its delivery completes; allocations are never swapped for older ones.
/// </remarks>
public sealed class ShardRegion : IShardRegion, IDeliveryWays, IWorkerWays, IAsyncDisposable
{
    /// <summary>How often due traces are looked for, and kept ones handed over.</summary>
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>Ticks between two looks at deliveries that wait for something.</summary>
    private const int TicksPerLook = 5;

    /// <summary>Ticks after which free memory that is not needed goes back to the system, a part at a time.</summary>
    private const int TicksPerTrim = 10;

    /// <summary>How long a drain waits for room in the exporters.</summary>
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(3);

    /// <summary>One bit each in a delivery's set of addressed workers.</summary>
    private const int MaxWorkers = 64;

    private readonly ShardRegionOptions _options;
    private readonly SlabPool _slabs = new();
    private readonly RegionLoad _load;
    private readonly ShardWorker[] _workers;
    private readonly IKeptTraceQueue _queue;
    private readonly IPeerSender _peers;
    private readonly MemberId _self;
    private readonly ITimer _timer;
    private readonly DeliveryTable _deliveries;
    private readonly Action? _reportsChanged;
    private ShardAllocation _allocation;
    private long _bytesUnderWay;
    private long _forwardedFrames;
    private long _forwardedAgainFrames;
    private int _ticks;
    private int _shuttingDown;
    private int _disposed;

    /// <summary>Opens the shards that <paramref name="allocation"/> gives to <paramref name="self"/> and starts the worker loops.</summary>
    /// <param name="self">This node.</param>
    /// <param name="options">How shards hold and decide traces.</param>
    /// <param name="policies">How they decide.</param>
    /// <param name="budgets">What rate limits draw from.</param>
    /// <param name="allocation">Who holds which shard.</param>
    /// <param name="queue">Where kept traces go.</param>
    /// <param name="clock">The node's time.</param>
    /// <param name="hasher">Keys the tables that clients could otherwise flood.</param>
    /// <param name="peers">The way to other members; null for a node alone, whose authority never ends.</param>
    /// <param name="reportsChanged">Called on a worker loop when <see cref="Reports"/> has changed.</param>
    public ShardRegion(
        MemberId self,
        ShardRegionOptions options,
        PolicySet policies,
        IBudgets budgets,
        ShardAllocation allocation,
        IKeptTraceQueue queue,
        MonotonicClock clock,
        TraceIdHasher hasher,
        IPeerSender? peers = null,
        Action? reportsChanged = null)
    {
        _self = self;
        _options = options;
        _queue = queue;
        _allocation = allocation;
        _peers = peers ?? new NoPeers();
        _reportsChanged = reportsChanged;
        Policies = policies;
        Clock = clock;
        _load = new RegionLoad(_slabs);
        _deliveries = new DeliveryTable(this);
        int workers = Math.Clamp(options.Workers, 1, Math.Min(allocation.ShardCount, MaxWorkers));
        _workers = ShardWorker.Open(
            self,
            [.. Enumerable.Range(0, workers).Select(_ => new ShardServices(options, policies, budgets, _slabs, queue, hasher))],
            _load,
            this,
            clock);
        foreach (ShardWorker worker in _workers)
        {
            worker.Apply(allocation);
            if (peers is null)
            {
                worker.SetAuthority(long.MaxValue);
            }
        }

        _timer = clock.Time.CreateTimer(static region => ((ShardRegion)region!).Tick(), this, TickInterval, TickInterval);
    }

    /// <inheritdoc/>
    public ShardAllocation Allocation => Volatile.Read(ref _allocation);

    /// <inheritdoc/>
    public Refusal Admission =>
        Volatile.Read(ref _shuttingDown) != 0 ? Refusal.ShuttingDown
        : !_queue.HasRoom ? Refusal.ExportQueueFull
        : _load.Bytes >= _options.MemorySoftBytes ? Refusal.Memory
        : Refusal.None;

    /// <summary>What this node's primaries say of their copies, all of it.</summary>
    public IReadOnlyList<ShardReport> Reports => [.. _workers.SelectMany(worker => worker.Reports)];

    Refusal IWorkerWays.PeerAdmission =>
        !_queue.HasRoom ? Refusal.ExportQueueFull
        : _load.Bytes + Volatile.Read(ref _bytesUnderWay) >= _options.MemoryHardBytes || _load.Bytes >= _options.MemorySoftBytes ? Refusal.Memory
        : Refusal.None;

    /// <summary>The policies that the shards run.</summary>
    internal PolicySet Policies { get; }

    /// <summary>The node's time.</summary>
    internal MonotonicClock Clock { get; }

    internal ShardWorker[] Workers => _workers;

    internal long SlabBytes => _slabs.BytesInUse;

    /// <summary>Everything that is measured against the memory limits.</summary>
    internal RegionLoad Load => _load;

    /// <summary>Bytes of batches that are not acknowledged yet.</summary>
    internal long BytesUnderWay => Volatile.Read(ref _bytesUnderWay);

    /// <summary>Frames sent to their owners on other nodes.</summary>
    internal long ForwardedFrames => Volatile.Read(ref _forwardedFrames);

    /// <summary>Of these, at a second or later attempt.</summary>
    internal long ForwardedAgainFrames => Volatile.Read(ref _forwardedAgainFrames);

    /// <inheritdoc/>
    public ValueTask<Refusal> DeliverAsync(FrameBatch batch)
    {
        Refusal admission = Admission;
        long underWay = Volatile.Read(ref _bytesUnderWay);
        if (admission == Refusal.None && _load.Bytes + underWay + batch.Length > _options.MemoryHardBytes)
        {
            admission = Refusal.Memory;
        }

        if (admission != Refusal.None || batch.Count == 0)
        {
            return new(admission);
        }

        Interlocked.Add(ref _bytesUnderWay, batch.Length);
        long now = Clock.Now;
        return _deliveries.Take().Begin(batch, Allocation, now, now + (long)_options.DeliveryTimeout.TotalMilliseconds);
    }

    /// <summary>Takes over a newer allocation; an older one is ignored.</summary>
    public void Apply(ShardAllocation allocation)
    {
        ShardAllocation last = Allocation;
        while (allocation.Version > last.Version)
        {
            ShardAllocation seen = Interlocked.CompareExchange(ref _allocation, allocation, last);
            if (seen == last)
            {
                foreach (ShardWorker worker in _workers)
                {
                    worker.Apply(allocation);
                }

                long now = Clock.Now;
                _deliveries.ForEach(delivery => delivery.Apply(allocation, now));
                return;
            }

            last = seen;
        }
    }

    /// <summary>Until when this node's lease is known to last, by <see cref="MonotonicClock.Now"/>.</summary>
    public void SetAuthority(long validUntil)
    {
        foreach (ShardWorker worker in _workers)
        {
            worker.SetAuthority(validUntil);
        }
    }

    /// <summary>Takes a packet of a peer; it is retained as long as worker loops read it.</summary>
    /// <returns>False when there are messages in it that are not for shards.</returns>
    public bool Receive(MemberId from, PeerPacket packet)
    {
        ulong workers = 0;
        bool isAll = true;
        PeerPacketReader messages = packet.Read();
        while (messages.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload))
        {
            if (header.Kind == PeerMessageKind.Delivered)
            {
                _deliveries.Answered(header.Id, payload, Clock.Now);
            }
            else if (header.Kind is PeerMessageKind.Deliver or PeerMessageKind.Replicate or PeerMessageKind.Replicated)
            {
                workers |= 1UL << WorkerOf(header.Shard);
            }
            else
            {
                isAll = false;
            }
        }

        for (int worker = 0; worker < _workers.Length; worker++)
        {
            if ((workers & 1UL << worker) != 0)
            {
                packet.Retain();
                _workers[worker].Post(from, packet);
            }
        }

        return isAll;
    }

    /// <summary>A connection to or from a member was made, or lost with what was on it.</summary>
    public void ConnectionChanged(MemberId peer, bool connected)
    {
        foreach (ShardWorker worker in _workers)
        {
            worker.ConnectionChanged(peer, connected);
        }

        long now = Clock.Now;
        _deliveries.ForEach(delivery => delivery.Lost(peer, now));
    }

    /// <summary>
    /// Ends intake, decides (or discards) every pending trace and hands over what is kept. Afterwards the exporters can be drained.
    /// Exporters that are full get 3 s to make room; then the rest is handed over all the same, to be sent or counted as lost.
    /// </summary>
    public async Task DrainAsync()
    {
        EndIntake();
        long began = Clock.Time.GetTimestamp();
        foreach (ShardWorker worker in _workers)
        {
            while (!await worker.DrainAsync(regardless: Clock.Time.GetElapsedTime(began) >= DrainPatience))
            {
                await Task.Delay(TickInterval, Clock.Time);
            }
        }
    }

    /// <summary>Refuses requests of this node's own doors from now on; frames of peers are still taken.</summary>
    public void EndIntake() => Volatile.Write(ref _shuttingDown, 1);

    /// <summary>Stops the clock. What is pending is not decided: see <see cref="DrainAsync"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        EndIntake();
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _timer.DisposeAsync();
        foreach (ShardWorker worker in _workers)
        {
            await worker.DisposeAsync();
        }

        _slabs.Dispose();
    }

    bool IDeliveryWays.IsLocal(MemberId member) => member == _self;

    PeerSend IDeliveryWays.SendToPeer(Delivery delivery, int frame, int attempt, MemberId owner) =>
        _peers.Send(
            owner, PeerMessageKind.Deliver, delivery.Batch.Shard(frame), DeliveryTable.IdOf(delivery, frame, attempt), delivery.Batch.Frame(frame), []);

    void IDeliveryWays.CountForwarded(int frames, int again)
    {
        Interlocked.Add(ref _forwardedFrames, frames);
        if (again > 0)
        {
            Interlocked.Add(ref _forwardedAgainFrames, again);
        }
    }

    int IDeliveryWays.WorkerOf(int shard) => WorkerOf(shard);

    void IDeliveryWays.Post(Delivery delivery, int worker) => _workers[worker].Post(delivery);

    void IDeliveryWays.GiveBack(Delivery delivery)
    {
        Interlocked.Add(ref _bytesUnderWay, -delivery.Bytes);
        _deliveries.GiveBack(delivery);
    }

    void IWorkerWays.Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body) =>
        _peers.Send(to, kind, shard, id, payload, body);

    void IWorkerWays.ReportsChanged() => _reportsChanged?.Invoke();

    internal ShardWorker WorkerOfShard(int shard) => _workers[WorkerOf(shard)];

    private int WorkerOf(int shard) => shard % _workers.Length;

    private void Tick()
    {
        foreach (ShardWorker worker in _workers)
        {
            worker.Tick();
        }

        if (++_ticks % TicksPerLook == 0)
        {
            long now = Clock.Now;
            _deliveries.ForEach(delivery => delivery.Advance(now));
        }

        if (_ticks % TicksPerTrim == 0)
        {
            _slabs.Trim();
        }
    }

    /// <summary>The peers of a node alone.</summary>
    private sealed class NoPeers : IPeerSender
    {
        public PeerSend Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body) =>
            PeerSend.NotConnected;
    }
}
