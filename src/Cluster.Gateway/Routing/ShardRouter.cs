using System.Collections.Concurrent;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Microsoft.Extensions.ObjectPool;

namespace Cluster.Gateway.Routing;

/// <summary>
/// Behind every door: splits requests by trace, writes one frame a shard for those that come together, and waits until the region has each of them
/// safe. Thread-safe; allocates nothing a request once its buffers have grown.
/// <code>
///   request --split--> waiting --turn: with up to seven others--> frames --delivered--> all of them answered
/// </code>
/// </summary>
/// <remarks>
/// What a frame costs on its way, more than what a span does, is what a cluster costs; so requests that wait for a turn of the thread pool at the same time
/// share their frames. Nothing waits for company: a request that is alone goes alone.
/// Invariants: a request is answered once; what is wrong with one is never another's concern, but what the region refuses it refuses all that it came with.
/// </remarks>
public sealed class ShardRouter : ITraceConsumer, IThreadPoolWorkItem
{
    /// <summary>Requests and batches kept for use again; a burst of more at once leaves the rest to the garbage collector.</summary>
    private const int KeptRequests = 64, KeptBatches = 16;

    /// <summary>Larger frames go back to the array pool.</summary>
    private const int KeptFrameBytes = 2 << 20;

    private readonly IShardRegion _region;
    private readonly long _maxFrameBytes;
    private readonly Action<IThreadPoolWorkItem> _schedule;
    private readonly DefaultObjectPool<IncomingRequest> _requests;
    private readonly DefaultObjectPool<RequestBatch> _batches;
    private readonly ConcurrentQueue<IncomingRequest> _waiting = new();
    private int _scheduled;
    private long _frameBytes;
    private ulong _nextSequence;

    /// <summary>A router to <paramref name="region"/>.</summary>
    /// <param name="region">Where the frames go.</param>
    /// <param name="incarnation">This run of this node; with the sequence it names a frame.</param>
    /// <param name="hasher">Keys the tables that clients could otherwise flood.</param>
    /// <param name="maxFrameBytes">Bytes of frames under way at once (<c>limits.in_flight_bytes</c>); a request beyond it is refused, for good if by itself.</param>
    /// <param name="schedule">Has a turn executed, soon; null: by the thread pool, after what is queued there already.</param>
    public ShardRouter(
        IShardRegion region,
        ulong incarnation,
        TraceIdHasher hasher,
        long maxFrameBytes = 256 << 20,
        Action<IThreadPoolWorkItem>? schedule = null)
    {
        _region = region;
        _maxFrameBytes = Math.Min(maxFrameBytes, Array.MaxLength);
        _schedule = schedule ?? (static turn => ThreadPool.UnsafeQueueUserWorkItem(turn, preferLocal: false));
        _requests = new(new Making<IncomingRequest>(() => new IncomingRequest(GiveBack, hasher)), KeptRequests);
        _batches = new(new Making<RequestBatch>(() => new RequestBatch(incarnation, Finish)), KeptBatches);
    }

    /// <inheritdoc/>
    public Refusal Admission => _region.Admission;

    /// <inheritdoc/>
    public ValueTask<IntakeOutcome> ConsumeAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<IntakeOutcome>(cancellationToken);
        }

        Refusal admission = _region.Admission;
        if (admission != Refusal.None)
        {
            return new(IntakeOutcome.Refused(admission));
        }

        IncomingRequest incoming = _requests.Get();
        WireError error = TraceSplitter.Split(request, incoming.Split, out int offset);
        if (error != WireError.None || incoming.Split.SpanCount == 0)
        {
            int rejected = incoming.Split.RejectedSpans;
            GiveBack(incoming);
            return new(error != WireError.None ? IntakeOutcome.Malformed(error, offset) : IntakeOutcome.Taken(0, rejected));
        }

        ValueTask<IntakeOutcome> outcome = incoming.Begin();
        _waiting.Enqueue(incoming);
        Schedule();
        return outcome;
    }

    void IThreadPoolWorkItem.Execute()
    {
        RequestBatch batch = _batches.Get();
        batch.Take(_waiting);

        // A full fence between giving up the turn and looking once more: who enqueues in between sees one or the other.
        Interlocked.Exchange(ref _scheduled, 0);
        if (!_waiting.IsEmpty)
        {
            Schedule();
        }

        if (batch.Requests.Count > 0)
        {
            Deliver(batch);
        }
        else
        {
            // Another turn has taken what this one was scheduled for.
            GiveBack(batch);
        }
    }

    private void Schedule()
    {
        if (Interlocked.CompareExchange(ref _scheduled, 1, 0) == 0)
        {
            _schedule(this);
        }
    }

    private void Deliver(RequestBatch batch)
    {
        try
        {
            // A few times the requests' own bytes at most, unless somebody wants it to be more.
            ShardAllocation allocation = _region.Allocation;
            FramePlan plan = batch.Plan(allocation);
            bool isTooLarge = plan.Longest > FrameFormat.MaxLength || plan.Length > _maxFrameBytes;
            if (isTooLarge || !TryCharge(batch, plan.Length))
            {
                DeliverEach(batch, isTooLarge ? TooLarge(plan) : IntakeOutcome.Refused(Refusal.InFlightBytes));
                return;
            }

            batch.Write(plan, Interlocked.Add(ref _nextSequence, (ulong)allocation.ShardCount) - (ulong)allocation.ShardCount);
            batch.Await(_region.DeliverAsync(batch.Frames));
        }
        catch (Exception e)
        {
            Fail(batch, e);
        }
    }

    /// <summary>What cannot be taken together may be taken one by one; what is alone has its answer.</summary>
    private void DeliverEach(RequestBatch batch, IntakeOutcome outcome)
    {
        if (batch.Requests.Count == 1)
        {
            batch.Requests[0].Answer(outcome);
            GiveBack(batch);
            return;
        }

        foreach (IncomingRequest request in batch.Requests)
        {
            RequestBatch alone = _batches.Get();
            alone.Add(request);
            Deliver(alone);
        }

        GiveBack(batch);
    }

    /// <summary>The region has answered.</summary>
    private void Finish(RequestBatch batch)
    {
        Refusal refusal;
        try
        {
            refusal = batch.ReadAnswer();
        }
        catch (Exception e)
        {
            Fail(batch, e);
            return;
        }

        Uncharge(batch);
        foreach (IncomingRequest request in batch.Requests)
        {
            request.Answer(
                refusal == Refusal.None
                    ? IntakeOutcome.Taken(request.Split.SpanCount, request.Split.RejectedSpans)
                    : IntakeOutcome.Refused(refusal));
        }

        GiveBack(batch);
    }

    /// <summary>A fault of this program. Shards may still read the batch: it is left to the garbage collector.</summary>
    private void Fail(RequestBatch batch, Exception fault)
    {
        Uncharge(batch);
        foreach (IncomingRequest request in batch.Requests)
        {
            request.Fail(fault);
        }
    }

    private bool TryCharge(RequestBatch batch, long bytes)
    {
        batch.ChargedBytes = bytes;
        if (Interlocked.Add(ref _frameBytes, bytes) <= _maxFrameBytes)
        {
            return true;
        }

        Uncharge(batch);
        return false;
    }

    private void Uncharge(RequestBatch batch)
    {
        Interlocked.Add(ref _frameBytes, -batch.ChargedBytes);
        batch.ChargedBytes = 0;
    }

    /// <summary>What would never be taken, however often it is sent again.</summary>
    private IntakeOutcome TooLarge(in FramePlan plan) => IntakeOutcome.TooLarge(
        (plan.Longest > FrameFormat.MaxLength
            ? $"its spans of one shard take {plan.Longest} bytes as a frame, more than {FrameFormat.MaxLength}"
            : $"its spans take {plan.Length} bytes as frames, more than {_maxFrameBytes} (limits.in_flight_bytes)")
        + "; a resource's attributes are repeated for each of its scopes: send fewer scopes or smaller resource attributes in a request");

    private void GiveBack(IncomingRequest request)
    {
        request.Split.Body = default;
        _requests.Return(request);
    }

    private void GiveBack(RequestBatch batch)
    {
        batch.Clear();
        if (batch.Frames.Length > KeptFrameBytes)
        {
            batch.Frames.Dispose();
        }

        _batches.Return(batch);
    }

    private sealed class Making<T>(Func<T> make) : PooledObjectPolicy<T>
        where T : class
    {
        public override T Create() => make();

        public override bool Return(T obj) => true;
    }
}
