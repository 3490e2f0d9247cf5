using System.Collections.Concurrent;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Log;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Region;

/// <summary>
/// A node's shards, and its way to everyone else's. The region of a single node owns all of them: a delivery goes to the mailboxes of the
/// worker loops that carry the shards it is for, one message each, and completes when all have it in their logs. Thread-safe.
/// </summary>
/// <remarks>
/// Invariants: nothing is taken once draining has begun, and what was taken before is decided by it; the hard limit counts what is held and
/// what is under way; a batch is read by worker loops only until its delivery completes.
/// </remarks>
public sealed class ShardRegion : IShardRegion, IAsyncDisposable
{
    /// <summary>How often due traces are looked for, and kept ones handed over.</summary>
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>How long a drain waits for room in the exporters.</summary>
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(3);

    /// <summary>One bit each in a delivery's set of addressed workers.</summary>
    private const int MaxWorkers = 64;

    private readonly ShardRegionOptions _options;
    private readonly SlabPool _slabs = new();
    private readonly RegionLoad _load;
    private readonly ShardWorker[] _workers;
    private readonly IKeptTraceQueue _queue;
    private readonly ITimer _timer;
    private readonly ConcurrentBag<Delivery> _deliveries = [];
    private readonly Action<Delivery> _giveBack;
    private long _bytesUnderWay;
    private int _shuttingDown;
    private int _disposed;

    /// <summary>Opens all shards of <paramref name="allocation"/> and starts their worker loops.</summary>
    /// <param name="options">How shards hold and decide traces.</param>
    /// <param name="policies">How they decide.</param>
    /// <param name="budgets">What rate limits draw from.</param>
    /// <param name="allocation">The shards, with their terms.</param>
    /// <param name="queue">Where kept traces go.</param>
    /// <param name="time">The clock.</param>
    /// <param name="hasher">Keys the tables that clients could otherwise flood.</param>
    public ShardRegion(
        ShardRegionOptions options,
        PolicySet policies,
        IBudgets budgets,
        ShardAllocation allocation,
        IKeptTraceQueue queue,
        TimeProvider time,
        TraceIdHasher hasher)
    {
        _options = options;
        _queue = queue;
        Allocation = allocation;
        Policies = policies;
        Time = time;
        Start = time.GetTimestamp();
        StartedAt = time.GetUtcNow();
        _giveBack = GiveBack;
        _load = new RegionLoad(_slabs);
        int workers = Math.Clamp(options.Workers, 1, Math.Min(allocation.ShardCount, MaxWorkers));
        _workers = new ShardWorker[workers];
        for (int i = 0; i < workers; i++)
        {
            _workers[i] = new ShardWorker(
                i, workers, allocation, new ShardServices(options, policies, budgets, _slabs, queue, hasher), _load, time, Start);
        }

        _timer = time.CreateTimer(static region => ((ShardRegion)region!).Tick(), this, TickInterval, TickInterval);
    }

    /// <inheritdoc/>
    public ShardAllocation Allocation { get; }

    /// <inheritdoc/>
    public Refusal Admission =>
        Volatile.Read(ref _shuttingDown) != 0 ? Refusal.ShuttingDown
        : !_queue.HasRoom ? Refusal.ExportQueueFull
        : _load.Bytes >= _options.MemorySoftBytes ? Refusal.Memory
        : Refusal.None;

    /// <summary>The policies that the shards run.</summary>
    internal PolicySet Policies { get; }

    internal TimeProvider Time { get; }

    /// <summary>Timestamp that monotonic milliseconds count from.</summary>
    internal long Start { get; }

    /// <summary>The same moment on the wall clock.</summary>
    internal DateTimeOffset StartedAt { get; }

    internal ShardWorker[] Workers => _workers;

    internal long SlabBytes => _slabs.BytesInUse;

    /// <summary>Everything that is measured against the memory limits.</summary>
    internal RegionLoad Load => _load;

    /// <summary>Bytes of batches that are not acknowledged yet.</summary>
    internal long BytesUnderWay => Volatile.Read(ref _bytesUnderWay);

    /// <inheritdoc/>
    public ValueTask<Refusal> DeliverAsync(FrameBatch batch, CancellationToken cancellationToken)
    {
        Refusal admission = Admission;
        long underWay = Volatile.Read(ref _bytesUnderWay);
        if (admission == Refusal.None && _load.Bytes + underWay + batch.Length > _options.MemoryHardBytes)
        {
            admission = Refusal.Memory;
        }

        if (admission != Refusal.None)
        {
            return new(admission);
        }

        if (batch.Count == 0)
        {
            return new(Refusal.None);
        }

        if (!_deliveries.TryTake(out Delivery? delivery))
        {
            delivery = new Delivery(_giveBack);
        }

        ulong addressed = 0;
        int count = 0;
        for (int i = 0; i < batch.Count && count < _workers.Length; i++)
        {
            ulong worker = 1UL << WorkerOf(batch.Shard(i));
            if ((addressed & worker) == 0)
            {
                addressed |= worker;
                count++;
            }
        }

        Interlocked.Add(ref _bytesUnderWay, batch.Length);
        ValueTask<Refusal> acknowledgement = delivery.Begin(batch, count);
        for (int worker = 0; worker < _workers.Length; worker++)
        {
            if ((addressed & 1UL << worker) != 0)
            {
                _workers[worker].Post(delivery);
            }
        }

        return acknowledgement;
    }

    /// <summary>
    /// Ends intake, decides (or discards) every pending trace and hands over what is kept. Afterwards the exporters can be drained.
    /// Exporters that are full get 3 s to make room; then the rest is handed over all the same, to be sent or counted as lost.
    /// </summary>
    public async Task DrainAsync()
    {
        Volatile.Write(ref _shuttingDown, 1);
        long began = Time.GetTimestamp();
        foreach (ShardWorker worker in _workers)
        {
            while (!await worker.DrainAsync(regardless: Time.GetElapsedTime(began) >= DrainPatience))
            {
                await Task.Delay(TickInterval, Time);
            }
        }
    }

    /// <summary>Stops the clock. What is pending is not decided: see <see cref="DrainAsync"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        Volatile.Write(ref _shuttingDown, 1);
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _timer.DisposeAsync();
        foreach (ShardWorker worker in _workers)
        {
            await worker.CloseAsync();
        }

        _slabs.Dispose();
    }

    internal ShardWorker WorkerOfShard(int shard) => _workers[WorkerOf(shard)];

    private void GiveBack(Delivery delivery)
    {
        Interlocked.Add(ref _bytesUnderWay, -delivery.Bytes);
        _deliveries.Add(delivery);
    }

    private int WorkerOf(int shard) => shard % _workers.Length;

    private void Tick()
    {
        foreach (ShardWorker worker in _workers)
        {
            worker.Tick();
        }
    }
}
