using Cluster.Node.Demo;
using Cluster.Testing.Otlp;

namespace Cluster.Node.Tests.Demo;

public sealed class DemoTracesTests
{
    private const int Count = 2000;
    private static readonly List<List<DemoSpan>> Traces = Make(1);

    [Fact]
    public void Next_Always_MakesOneTreeWithChildrenInsideTheirParents()
    {
        foreach (List<DemoSpan> trace in Traces)
        {
            Dictionary<string, DemoSpan> spans = trace.ToDictionary(span => Convert.ToHexString(span.SpanId));
            Assert.Empty(trace[0].ParentSpanId);
            Assert.Single(trace.Select(span => Convert.ToHexString(span.TraceId)).Distinct());
            Assert.All(trace.Skip(1), span =>
            {
                DemoSpan parent = spans[Convert.ToHexString(span.ParentSpanId)];
                Assert.InRange(span.Start, parent.Start, parent.End);
                Assert.InRange(span.End, span.Start, parent.End);
            });
        }
    }

    [Fact]
    public void Next_OverManyTraces_MixesErrorsSlowOnesAndNormalOnes()
    {
        Assert.InRange(Traces.Count(trace => trace[0].Error is not null), Count * 0.03, Count * 0.07);
        Assert.InRange(Traces.Count(trace => trace[0].End > 500), Count * 0.03, Count * 0.07);
        Assert.Equal(9, Traces.SelectMany(trace => trace).Select(span => span.Service).Distinct().Count());
    }

    [Fact]
    public void Next_SameSeed_MakesTheSameTraces() => Assert.Equal(
        Traces.Select(trace => Convert.ToHexString(trace[0].TraceId)), Make(1).Select(trace => Convert.ToHexString(trace[0].TraceId)));

    [Fact]
    public void Encode_AnyTrace_DecodesToItsSpans()
    {
        const ulong Start = 1_700_000_000_000_000_000;
        List<DemoSpan> failed = Traces.First(trace => trace[0].Error is not null);
        ExportTraceServiceRequest request = ExportTraceServiceRequest.Parser.ParseFrom(DemoRequest.Encode("frontend", failed, Start));
        ResourceSpans resource = Assert.Single(request.ResourceSpans);
        Assert.Equal("frontend", Assert.Single(resource.Resource.Attributes).Value.StringValue);
        Span[] spans = [.. Assert.Single(resource.ScopeSpans).Spans];
        Assert.Equal(failed.Select(span => span.Name), spans.Select(span => span.Name));
        Assert.Equal(failed.Select(span => Convert.ToHexString(span.SpanId)), spans.Select(span => Convert.ToHexString(span.SpanId.Span)));
        Assert.Equal(Start, spans[0].StartTimeUnixNano);
        Assert.Equal(Start + (ulong)(failed[0].End * 1e6), spans[0].EndTimeUnixNano);
        Assert.Equal(Span.Types.SpanKind.Server, spans[0].Kind);
        Assert.Equal(Status.Types.StatusCode.Error, spans[0].Status.Code);
        Assert.Equal(failed[0].Error, spans[0].Status.Message);
        Assert.Equal(500, spans[0].Attributes.Single(attribute => attribute.Key == "http.response.status_code").Value.IntValue);
        Assert.Equal("exception", Assert.Single(spans[0].Events).Name);
    }

    private static List<List<DemoSpan>> Make(int seed)
    {
        DemoTraces traces = new(new Random(seed));
        return [.. Enumerable.Range(0, Count).Select(_ => traces.Next())];
    }
}
