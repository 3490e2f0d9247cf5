using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Splitting;

/// <summary>
/// Writes what a splitter found in one or more requests as frames, one a shard (<see cref="FrameFormat"/>): the only time a span's bytes are copied
/// before they are in its shard's log. Reused; not thread-safe.
/// </summary>
/// <remarks>
/// Invariants: a frame holds a context of a request exactly if one of its slices stands under it; slices are in order of the requests, and of arrival in each.
/// </remarks>
/// <param name="sender">This node's incarnation.</param>
internal sealed class FrameWriter(ulong sender)
{
    /// <summary>Arrays longer than this are given up after use.</summary>
    private const int KeptEntries = 64 * 1024;

    /// <summary>Contexts of the frame that is being written, in order of their places.</summary>
    private (int Request, int Context)[] _contexts = new (int, int)[64];

    /// <summary>
    /// Plans the frames of <paramref name="requests"/>, so that their size can be looked at before there is memory for them. A resource goes into
    /// the frame of every shard once for each of its scopes: a request can be made that is thousands of times as large in frames.
    /// </summary>
    /// <param name="requests">What was found in each.</param>
    /// <param name="allocation">Says how many shards there are, and their terms.</param>
    /// <returns>A plan that is good until the next one.</returns>
    public FramePlan Plan(IReadOnlyList<SplitRequest> requests, ShardAllocation allocation)
    {
        for (int i = 0; i < requests.Count; i++)
        {
            requests[i].Chains.Chain(requests[i], allocation.ShardCount);
        }

        long total = 0;
        long longest = 0;
        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            if (Measure(requests, shard, out long length).SliceCount > 0)
            {
                total += length;
                longest = Math.Max(longest, length);
            }
        }

        return new FramePlan(requests, allocation, total, longest);
    }

    /// <summary>Writes the planned frames into <paramref name="batch"/>.</summary>
    /// <param name="plan">The latest plan of this writer.</param>
    /// <param name="nextSequence">Taken by one for each frame.</param>
    /// <param name="batch">Receives the frames; what it held before is gone.</param>
    /// <exception cref="OverflowException">They are larger than an array can be.</exception>
    public void Write(in FramePlan plan, ref ulong nextSequence, FrameBatch batch)
    {
        (IReadOnlyList<SplitRequest> requests, ShardAllocation allocation, long total, _) = plan;
        Span<byte> bytes = batch.Reset(checked((int)total));
        int offset = 0;
        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            FrameHeader header = Measure(requests, shard, out _);
            if (header.SliceCount == 0)
            {
                continue;
            }

            header.Term = allocation[shard].Term;
            header.Sender = sender;
            header.Sequence = nextSequence++;
            WriteFrame(requests, header, bytes.Slice(offset, header.Length));
            batch.Add(shard, offset, header.Length, header.SpanCount);
            offset += header.Length;
        }

        _contexts = _contexts.Length > KeptEntries ? new (int, int)[64] : _contexts;
    }

    /// <summary>
    /// Counts and <paramref name="length"/> of a shard's frame, no slices if there is none; gives its contexts their places. The length in the header
    /// is right if it fits.
    /// </summary>
    private FrameHeader Measure(IReadOnlyList<SplitRequest> requests, int shard, out long length)
    {
        int slices = 0;
        int contexts = 0;
        int spans = 0;
        long payload = 0;
        for (int i = 0; i < requests.Count; i++)
        {
            SplitRequest request = requests[i];
            ShardChains chains = request.Chains;
            chains.BeginFrame();
            for (int group = chains.First(shard); group >= 0; group = chains.Next(group))
            {
                ref SpanGroup g = ref request.Groups[group];
                slices++;
                spans += g.SpanCount;
                payload += g.Length;
                if (chains.TryPlace(g.Context, contexts))
                {
                    if (contexts == _contexts.Length)
                    {
                        Array.Resize(ref _contexts, contexts * 2);
                    }

                    _contexts[contexts++] = (i, g.Context);
                    ref ContextRange context = ref request.Contexts[g.Context];
                    payload += (long)context.ResourceLength + context.ScopeLength;
                }
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

    private void WriteFrame(IReadOnlyList<SplitRequest> requests, FrameHeader header, Span<byte> frame)
    {
        MemoryMarshal.Write(frame, header);
        Span<FrameSlice> slices = MemoryMarshal.Cast<byte, FrameSlice>(frame.Slice(FrameHeader.Size, header.SliceCount * FrameSlice.Size));
        int position = FrameHeader.Size + header.SliceCount * FrameSlice.Size;
        Span<FrameContext> contexts = MemoryMarshal.Cast<byte, FrameContext>(frame.Slice(position, header.ContextCount * FrameContext.Size));
        position += header.ContextCount * FrameContext.Size;

        for (int i = 0; i < contexts.Length; i++)
        {
            SplitRequest request = requests[_contexts[i].Request];
            ref ContextRange context = ref request.Contexts[_contexts[i].Context];
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
        for (int i = 0; i < requests.Count; i++)
        {
            SplitRequest request = requests[i];
            ReadOnlySpan<byte> body = request.Body.Span;
            for (int group = request.Chains.First(header.Shard); group >= 0; group = request.Chains.Next(group))
            {
                ref SpanGroup g = ref request.Groups[group];
                slices[slice++] = new FrameSlice
                {
                    TraceIdHigh = g.TraceId.High,
                    TraceIdLow = g.TraceId.Low,
                    Context = request.Chains.Place(g.Context),
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
}

/// <summary>How the frames of requests will be.</summary>
/// <param name="Requests">What was found in them.</param>
/// <param name="Allocation">The shards.</param>
/// <param name="Length">Bytes of all frames.</param>
/// <param name="Longest">Bytes of the longest; not to be written above <see cref="FrameFormat.MaxLength"/>.</param>
internal readonly record struct FramePlan(IReadOnlyList<SplitRequest> Requests, ShardAllocation Allocation, long Length, long Longest);
