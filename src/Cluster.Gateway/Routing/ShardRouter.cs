using System.Collections.Concurrent;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Routing;

/// <summary>
/// Behind every door: splits a request by trace, writes one frame a shard, and waits until the region has each of them safe. Thread-safe;
/// allocates nothing a request once its buffers have grown.
/// </summary>
public sealed class ShardRouter : ITraceConsumer
{
    /// <summary>Sets of buffers kept for use again; a burst of more requests at once leaves the rest to the garbage collector.</summary>
    private const int MaxKept = 64;

    /// <summary>A batch larger than this is not kept.</summary>
    private const int MaxKeptBatchBytes = 1 << 20;

    private readonly IShardRegion _region;
    private readonly TraceIdHasher _hasher;
    private readonly ulong _sender;
    private readonly ConcurrentBag<Buffers> _buffers = [];
    private readonly long _maxFrameBytes;
    private long _frameBytes;
    private int _kept;
    private ulong _nextSequence;

    /// <summary>A router to <paramref name="region"/>.</summary>
    /// <param name="region">Where the frames go.</param>
    /// <param name="incarnation">This run of this node; with the sequence it names a frame.</param>
    /// <param name="hasher">Keys the tables that clients could otherwise flood.</param>
    /// <param name="maxFrameBytes">Bytes of frames under way at once (<c>limits.in_flight_bytes</c>); a request beyond it is refused, for good if by itself.</param>
    public ShardRouter(IShardRegion region, ulong incarnation, TraceIdHasher hasher, long maxFrameBytes = 256 << 20)
    {
        _maxFrameBytes = Math.Min(maxFrameBytes, Array.MaxLength);
        _region = region;
        _sender = incarnation;
        _hasher = hasher;
    }

    /// <inheritdoc/>
    public Refusal Admission => _region.Admission;

    /// <inheritdoc/>
    public ValueTask<IntakeOutcome> ConsumeAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        Refusal admission = _region.Admission;
        if (admission != Refusal.None)
        {
            return new(IntakeOutcome.Refused(admission));
        }

        if (_buffers.TryTake(out Buffers? buffers))
        {
            Interlocked.Decrement(ref _kept);
        }
        else
        {
            buffers = new Buffers(_hasher, _sender);
        }

        WireError error = TraceSplitter.Split(request.Span, buffers.Split, out int offset);
        if (error != WireError.None || buffers.Split.SpanCount == 0)
        {
            int rejected = buffers.Split.RejectedSpans;
            Keep(buffers);
            return new(error != WireError.None ? IntakeOutcome.Malformed(error, offset) : IntakeOutcome.Taken(0, rejected));
        }

        // A few times the request's own bytes at most, unless somebody wants it to be more.
        ShardAllocation allocation = _region.Allocation;
        FramePlan plan = buffers.Frames.Plan(buffers.Split, allocation);
        if (plan.Longest > FrameFormat.MaxLength || plan.Length > _maxFrameBytes)
        {
            Keep(buffers);
            return new(TooLarge(plan));
        }

        if (Interlocked.Add(ref _frameBytes, plan.Length) > _maxFrameBytes)
        {
            Interlocked.Add(ref _frameBytes, -plan.Length);
            Keep(buffers);
            return new(IntakeOutcome.Refused(Refusal.InFlightBytes));
        }

        ulong sequence = Interlocked.Add(ref _nextSequence, (ulong)allocation.ShardCount) - (ulong)allocation.ShardCount;
        buffers.Frames.Write(request.Span, plan, ref sequence, buffers.Batch);
        return DeliverAsync(buffers, plan.Length, cancellationToken);
    }

    /// <summary>What would never be taken, however often it is sent again.</summary>
    private IntakeOutcome TooLarge(in FramePlan plan) => IntakeOutcome.TooLarge(
        (plan.Longest > FrameFormat.MaxLength
            ? $"its spans of one shard take {plan.Longest} bytes as a frame, more than {FrameFormat.MaxLength}"
            : $"its spans take {plan.Length} bytes as frames, more than {_maxFrameBytes} (limits.in_flight_bytes)")
        + "; a resource's attributes are repeated for each of its scopes: send fewer scopes or smaller resource attributes in a request");

    private async ValueTask<IntakeOutcome> DeliverAsync(Buffers buffers, long frameBytes, CancellationToken cancellationToken)
    {
        int accepted = buffers.Split.SpanCount;
        int rejected = buffers.Split.RejectedSpans;
        try
        {
            // A delivery that is given up is still read by the shards: its buffers are then left to the garbage collector.
            Refusal refusal = await _region.DeliverAsync(buffers.Batch, cancellationToken);
            Keep(buffers);
            return refusal == Refusal.None ? IntakeOutcome.Taken(accepted, rejected) : IntakeOutcome.Refused(refusal);
        }
        finally
        {
            Interlocked.Add(ref _frameBytes, -frameBytes);
        }
    }

    private void Keep(Buffers buffers)
    {
        bool isKept = Interlocked.Increment(ref _kept) <= MaxKept;
        if (!isKept || buffers.Batch.Length > MaxKeptBatchBytes)
        {
            buffers.Batch.Dispose();
        }

        if (isKept)
        {
            _buffers.Add(buffers);
        }
        else
        {
            Interlocked.Decrement(ref _kept);
        }
    }

    /// <summary>What one request needs on its way, one after the other.</summary>
    private sealed class Buffers(TraceIdHasher hasher, ulong sender)
    {
        public SplitRequest Split { get; } = new(hasher);

        public FrameWriter Frames { get; } = new(sender);

        public FrameBatch Batch { get; } = new();
    }
}
