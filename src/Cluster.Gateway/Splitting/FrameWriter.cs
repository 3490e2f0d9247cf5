using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Splitting;

/// <summary>
/// Writes what a splitter found as frames, one a shard (<see cref="FrameFormat"/>): the only time a span's bytes are copied before they
/// are in its shard's log. Reused from request to request; not thread-safe.
/// </summary>
/// <remarks>Invariants: a frame holds a context exactly if one of its slices stands under it; slices are in order of arrival.</remarks>
/// <param name="sender">This node's incarnation.</param>
internal sealed class FrameWriter(ulong sender)
{
    /// <summary>Arrays longer than this are given up after use.</summary>
    private const int KeptEntries = 64 * 1024;

    private int[] _firstGroupOfShard = [];
    private int[] _nextGroup = [];
    private int[] _contextSlot = [];
    private int[] _contextStamp = [];
    private int[] _frameContexts = [];
    private int _stamp;

    /// <summary>
    /// Plans the frames of <paramref name="request"/>, so that their size can be looked at before there is memory for them. A resource goes into
    /// the frame of every shard once for each of its scopes: a request can be made that is thousands of times as large in frames.
    /// </summary>
    /// <param name="request">What was found in the request.</param>
    /// <param name="allocation">Says how many shards there are, and their terms.</param>
    /// <returns>A plan that is good until the next one.</returns>
    public FramePlan Plan(SplitRequest request, ShardAllocation allocation)
    {
        ChainGroupsByShard(request, allocation.ShardCount);
        long total = 0;
        long longest = 0;
        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            if (_firstGroupOfShard[shard] >= 0)
            {
                Measure(request, shard, out long length);
                total += length;
                longest = Math.Max(longest, length);
            }
        }

        return new FramePlan(request, allocation, total, longest);
    }

    /// <summary>Writes the planned frames into <paramref name="batch"/>.</summary>
    /// <param name="body">The request that was split.</param>
    /// <param name="plan">The latest plan of this writer.</param>
    /// <param name="nextSequence">Taken by one for each frame.</param>
    /// <param name="batch">Receives the frames; what it held before is gone.</param>
    /// <exception cref="OverflowException">They are larger than an array can be.</exception>
    public void Write(ReadOnlySpan<byte> body, in FramePlan plan, ref ulong nextSequence, FrameBatch batch)
    {
        (SplitRequest request, ShardAllocation allocation, long total, _) = plan;
        Span<byte> bytes = batch.Reset(checked((int)total));
        int offset = 0;
        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            if (_firstGroupOfShard[shard] < 0)
            {
                continue;
            }

            FrameHeader header = Measure(request, shard, out _);
            header.Term = allocation[shard].Term;
            header.Sender = sender;
            header.Sequence = nextSequence++;
            WriteFrame(body, request, header, bytes.Slice(offset, header.Length));
            batch.Add(shard, offset, header.Length, header.SpanCount);
            offset += header.Length;
        }
    }

    private void ChainGroupsByShard(SplitRequest request, int shardCount)
    {
        if (_firstGroupOfShard.Length != shardCount)
        {
            _firstGroupOfShard = new int[shardCount];
        }

        Array.Fill(_firstGroupOfShard, -1);
        if (_nextGroup.Length < request.GroupCount || _nextGroup.Length > Math.Max(KeptEntries, request.Groups.Length))
        {
            _nextGroup = new int[request.Groups.Length];
        }

        if (_contextSlot.Length < request.ContextCount || _contextSlot.Length > Math.Max(KeptEntries, request.Contexts.Length))
        {
            _contextSlot = new int[request.Contexts.Length];
            _contextStamp = new int[request.Contexts.Length];
            _frameContexts = new int[request.Contexts.Length];
        }

        // Backwards, so that each chain runs in order of arrival.
        for (int group = request.GroupCount - 1; group >= 0; group--)
        {
            int shard = request.Groups[group].TraceId.Shard(shardCount);
            _nextGroup[group] = _firstGroupOfShard[shard];
            _firstGroupOfShard[shard] = group;
        }
    }

    /// <summary>
    /// Counts and <paramref name="length"/> of a shard's frame; numbers its contexts in <see cref="_contextSlot"/>. The length in the header
    /// is right if it fits.
    /// </summary>
    private FrameHeader Measure(SplitRequest request, int shard, out long length)
    {
        int stamp = unchecked(++_stamp);
        int slices = 0;
        int contexts = 0;
        int spans = 0;
        long payload = 0;
        for (int group = _firstGroupOfShard[shard]; group >= 0; group = _nextGroup[group])
        {
            ref SpanGroup g = ref request.Groups[group];
            slices++;
            spans += g.SpanCount;
            payload += g.Length;
            if (_contextStamp[g.Context] != stamp)
            {
                _contextStamp[g.Context] = stamp;
                _contextSlot[g.Context] = contexts;
                _frameContexts[contexts++] = g.Context;
                ref ContextRange context = ref request.Contexts[g.Context];
                payload += (long)context.ResourceLength + context.ScopeLength;
            }
        }

        length = FrameHeader.Size + (long)slices * FrameSlice.Size + (long)contexts * FrameContext.Size + payload;
        return new FrameHeader
        {
            Version = FrameFormat.Version,
            Shard = (ushort)shard,
            Length = unchecked((int)length),
            SliceCount = slices,
            ContextCount = contexts,
            SpanCount = spans,
        };
    }

    private void WriteFrame(ReadOnlySpan<byte> body, SplitRequest request, FrameHeader header, Span<byte> frame)
    {
        MemoryMarshal.Write(frame, header);
        Span<FrameSlice> slices = MemoryMarshal.Cast<byte, FrameSlice>(frame.Slice(FrameHeader.Size, header.SliceCount * FrameSlice.Size));
        int position = FrameHeader.Size + header.SliceCount * FrameSlice.Size;
        Span<FrameContext> contexts = MemoryMarshal.Cast<byte, FrameContext>(frame.Slice(position, header.ContextCount * FrameContext.Size));
        position += header.ContextCount * FrameContext.Size;

        for (int i = 0; i < contexts.Length; i++)
        {
            ref ContextRange context = ref request.Contexts[_frameContexts[i]];
            contexts[i] = new FrameContext
            {
                Offset = position,
                ResourceLength = context.ResourceLength,
                ScopeLength = context.ScopeLength,
                Hash = context.Hash,
            };
            request.ContextBytes.Slice(context.ResourceOffset, context.ResourceLength).CopyTo(frame[position..]);
            position += context.ResourceLength;
            request.ContextBytes.Slice(context.ScopeOffset, context.ScopeLength).CopyTo(frame[position..]);
            position += context.ScopeLength;
        }

        int slice = 0;
        for (int group = _firstGroupOfShard[header.Shard]; group >= 0; group = _nextGroup[group])
        {
            ref SpanGroup g = ref request.Groups[group];
            slices[slice++] = new FrameSlice
            {
                TraceIdHigh = g.TraceId.High,
                TraceIdLow = g.TraceId.Low,
                Context = _contextSlot[g.Context],
                Offset = position,
                Length = g.Length,
                SpanCount = g.SpanCount,
            };
            for (int span = g.First; span >= 0; span = request.Spans[span].Next)
            {
                ref SpanRange range = ref request.Spans[span];
                frame[position++] = FrameFormat.SpanTag;
                body.Slice(range.Offset, range.Length).CopyTo(frame[position..]);
                position += range.Length;
            }
        }
    }
}

/// <summary>How the frames of a request will be.</summary>
/// <param name="Request">What was found in the request.</param>
/// <param name="Allocation">The shards.</param>
/// <param name="Length">Bytes of all frames.</param>
/// <param name="Longest">Bytes of the longest; not to be written above <see cref="FrameFormat.MaxLength"/>.</param>
internal readonly record struct FramePlan(SplitRequest Request, ShardAllocation Allocation, long Length, long Longest);
