using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Node.Tests.Exporters;

public sealed class TraceBoundariesTests
{
    [Fact]
    public void TryFindMiddle_FourTraces_CutsAfterTwo()
    {
        ReadOnlySpan<byte> request = Kept.Traces(1, 2, 3, 4).Request.Span;

        Assert.True(TraceBoundaries.TryFindMiddle(request, out TraceCut cut));
        Assert.Equal(2, cut.TracesBefore);
        Assert.Equal(4, cut.SpansBefore);
        Assert.Equal([1UL, 2UL], Kept.Numbers(request[..cut.Offset]));
        Assert.Equal([3UL, 4UL], Kept.Numbers(request[cut.Offset..]));
    }

    [Fact]
    public void TryFindMiddle_TraceOverSeveralResources_IsNotCutInside()
    {
        byte[] request = new TraceBuilder()
            .Resource("a").Span(1, 1)
            .Resource("a").Span(2, 1)
            .Resource("b").Span(2, 2)
            .Resource("c").Span(2, 3)
            .ToBytes();

        Assert.True(TraceBoundaries.TryFindMiddle(request, out TraceCut cut));
        Assert.Equal(1, cut.TracesBefore);
        Assert.Equal(1, cut.SpansBefore);
    }

    [Fact]
    public void TryFindMiddle_TracesThatShareAResource_AreNotCut()
    {
        byte[] request = new TraceBuilder().Resource("a").Span(1, 1).Span(2, 1).ToBytes();

        Assert.False(TraceBoundaries.TryFindMiddle(request, out _));
    }

    [Fact]
    public void TryFindMiddle_OneTrace_IsNotCut() =>
        Assert.False(TraceBoundaries.TryFindMiddle(Kept.Traces(1).Request.Span, out _));

    [Fact]
    public void TryFindMiddle_NoRequest_IsNotCut()
    {
        Assert.False(TraceBoundaries.TryFindMiddle([], out _));
        Assert.False(TraceBoundaries.TryFindMiddle([0x0A, 0x05, 0x01], out _));
        Assert.False(TraceBoundaries.TryFindMiddle([0x0A, 0x02, 0x12, 0x7F], out _));
    }

    [Fact]
    public void TrySplit_ManyTraces_EndsWithSinglesAndReturnsTheMemoryOnce()
    {
        KeptTraces kept = Kept.Traces(1, 2, 3, 4, 5);
        Stack<ExportBatch> left = new();
        left.Push(new ExportBatch([TraceRun.Whole(kept)]));
        List<ulong> singles = [];
        while (left.TryPop(out ExportBatch? batch))
        {
            if (batch.TrySplit(out ExportBatch first, out ExportBatch second))
            {
                Assert.Equal(batch.Traces, first.Traces + second.Traces);
                Assert.Equal(batch.Spans, first.Spans + second.Spans);
                Assert.Equal(batch.Bytes, first.Bytes + second.Bytes);
                left.Push(second);
                left.Push(first);
            }
            else
            {
                Assert.Equal((1, 2), (batch.Traces, batch.Spans));
                singles.AddRange(Kept.Numbers(batch[0].Bytes.Span));
            }

            batch.Release();
        }

        Assert.Equal([1UL, 2UL, 3UL, 4UL, 5UL], singles);
        Assert.True(Kept.IsReturned(kept));
        Assert.Throws<ObjectDisposedException>(kept.Release);
    }
}
