using Cluster.Messages.Frames;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Simulation.Load;

/// <summary>Which spans a frame holds.</summary>
internal static class FrameSpans
{
    /// <summary>The spans of a frame, in order.</summary>
    public static SpanTruth[] Read(Workload workload, ReadOnlySpan<byte> bytes)
    {
        if (!FrameReader.TryOpen(bytes, out FrameReader frame))
        {
            throw new InvalidOperationException("A gateway wrote a frame that cannot be read.");
        }

        List<SpanTruth> found = [];
        foreach (ref readonly FrameSlice slice in frame.Slices)
        {
            WireReader spans = new(frame.Spans(slice));
            while (spans.TryReadTag(out _) && spans.TryReadBytes(out ReadOnlySpan<byte> span))
            {
                found.Add(workload.Find(slice.TraceId, new OtlpSpan(default, default, span).SpanId.Value)!);
            }
        }

        return [.. found];
    }
}
