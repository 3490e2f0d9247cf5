using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Tests.Workload;

public sealed class TraceWorkloadTests
{
    [Fact]
    public void Next_PublishedSeeds_GivesPublishedNumbers()
    {
        var zero = new SplitMix64(0);
        var other = new SplitMix64(1234567);

        Assert.Equal<ulong[]>([0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F], [zero.Next(), zero.Next(), zero.Next()]);
        Assert.Equal<ulong[]>([6457827717110365317, 3203168211198807973], [other.Next(), other.Next()]);
    }

    [Fact]
    public void Draw_DefaultSeed_HasThePublishedShape()
    {
        WorkloadProperties properties = WorkloadProperties.Of(TraceWorkload.Draw());

        // Golden: figures of different days compare only as long as these stay.
        Assert.Equal((5760, 80802, 288, 39743373L), (properties.Traces, properties.Spans, properties.Requests, properties.Bytes));
        Assert.Equal((208, 367), (properties.SmallestRequestSpans, properties.LargestRequestSpans));
        Assert.InRange(properties.GzipRatio, 6.9, 7.3);
        Assert.Equal(0.0568, properties.MustKeepShare, 4);
    }

    [Fact]
    public void Draw_SameSeed_SameBytes()
    {
        TraceWorkload a = TraceWorkload.Draw(7, cells: 1);
        TraceWorkload b = TraceWorkload.Draw(7, cells: 1);

        Assert.Equal(a.Cells[0].Requests.Select(request => request.Bytes), b.Cells[0].Requests.Select(request => request.Bytes));
    }

    [Fact]
    public void Draw_Trace_ChildrenLieWithinTheRoot()
    {
        var random = new SplitMix64(3);
        for (int i = 0; i < 1000; i++)
        {
            TraceShape trace = TraceShape.Draw(random);

            Assert.InRange(trace.Spans.Length, 8, 20);
            Assert.Equal(trace.Services, trace.Spans.Select(span => span.Service).Distinct().Count());
            Assert.Equal(trace.Spans[0].DurationNano, trace.Spans.Max(span => span.StartNano + span.DurationNano));
            Assert.All(trace.Spans.Skip(1), span => Assert.InRange(span.StartNano, 0, trace.Spans[0].DurationNano));
            Assert.NotInRange(trace.Spans[0].DurationNano, 495_000_000, 505_000_000);
        }
    }
}
