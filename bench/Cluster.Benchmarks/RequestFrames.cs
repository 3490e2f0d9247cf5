using System.Runtime.InteropServices;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;

namespace Cluster.Benchmarks;

/// <summary>Requests as frames of one shard, which can be given new trace IDs, so that the same bytes are new traces every time.</summary>
internal sealed class RequestFrames
{
    private readonly byte[][] _frames;
    private int _next;

    /// <summary>Frames of all benchmark requests.</summary>
    public RequestFrames()
    {
        var split = new SplitRequest(new TraceIdHasher(1));
        var writer = new FrameWriter(sender: 1);
        var allocation = ShardAllocation.Alone(new MemberId("node", 1), 1);
        using var batch = new FrameBatch();
        ulong sequence = 0;
        _frames = [.. BenchmarkRequests.All().Select(request =>
        {
            TraceSplitter.Split(request, split, out _);
            writer.Write(writer.Plan([split], allocation), ref sequence, batch);
            return batch.Frame(0).ToArray();
        })];
    }

    /// <summary>The next frame. Once round, its traces have other IDs than before.</summary>
    public FrameReader Next()
    {
        byte[] frame = _frames[_next % _frames.Length];
        int slices = MemoryMarshal.Read<FrameHeader>(frame).SliceCount;
        if (_next++ >= _frames.Length)
        {
            foreach (ref FrameSlice slice in MemoryMarshal.Cast<byte, FrameSlice>(frame.AsSpan(FrameHeader.Size, slices * FrameSlice.Size)))
            {
                slice.TraceIdLow += 0x9E3779B97F4A7C15;
            }
        }

        return FrameReader.TryOpen(frame, out FrameReader reader) ? reader : throw new InvalidOperationException("not a frame");
    }
}
