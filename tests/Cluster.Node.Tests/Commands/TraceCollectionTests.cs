using Cluster.Node.Commands;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Policies;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Node.Tests.Commands;

public sealed class TraceCollectionTests
{
    private readonly TraceCollection _traces =
        new(PolicyCompiler.Parse("policies: [{ name: all, type: always_sample }]", new ConfigurationErrors())!.CreateProgram());

    [Fact]
    public void Add_TracesMixedInOneRequest_CountsEachOnesOwnBytes()
    {
        byte[] mixed = Traces().Span(1, 1).Span(2, 1, name: "longer name").Span(1, 2)
            .Scope("other", "1.0").Span(1, 3)
            .Resource("second").Span(2, 2).ToBytes();

        _traces.Add(mixed);

        int one = Traces().Span(1, 1).Span(1, 2).Scope("other", "1.0").Span(1, 3).ToBytes().Length;
        int two = Traces().Span(2, 1, name: "longer name").Resource("second").Span(2, 2).ToBytes().Length;
        Assert.Equal([(long)one, two], _traces.Traces.Select(t => t.Bytes));
        Assert.Equal([3, 2], _traces.Traces.Select(t => t.SpanCount));
    }

    [Fact]
    public void Add_Times_GivesTheEarliestStartAndTheLatestEnd()
    {
        TraceBuilder builder = Traces().Span(1, 1, startMs: 100, durationMs: 50).Span(1, 2, startMs: 30, durationMs: 10).Span(1, 3);
        builder.LastSpan.StartTimeUnixNano = 0;
        builder.LastSpan.EndTimeUnixNano = 0;

        _traces.Add(builder.ToBytes());

        CollectedTrace trace = Assert.Single(_traces.Traces);
        Assert.Equal(TraceBuilder.Epoch + 30_000_000, trace.StartUnixNano);
        Assert.Equal(TraceBuilder.Epoch + 150_000_000, trace.EndUnixNano);
        Assert.Equal(120, trace.Evidence.DurationMilliseconds);
    }

    [Fact]
    public void Add_ClientAndServerWithOneSpanId_CountsBoth()
    {
        byte[] shared = Traces().Span(1, 1).Kind(Span.Types.SpanKind.Client).Span(1, 1).Kind(Span.Types.SpanKind.Server).ToBytes();

        _traces.Add(shared);
        _traces.Add(shared);

        Assert.Equal(2, Assert.Single(_traces.Traces).SpanCount);
        Assert.Equal(2, _traces.RepeatedSpans);
    }

    [Fact]
    public void Add_RepeatedSpanWithOtherValues_CountsTheFirst()
    {
        TraceCollection traces = new(PolicyCompiler.Parse(
            "policies: [{ name: a, type: string_attribute, string_attribute: { key: k, values: [b] } }]",
            new ConfigurationErrors())!.CreateProgram());

        traces.Add(Traces().Span(1, 1).With("k", "a").Span(1, 1).With("k", "b").ToBytes());

        Assert.Equal(0UL, Assert.Single(traces.Traces).Conditions[0]);
    }

    [Fact]
    public void Add_ResourceBehindItsSpans_IsReadAllTheSame()
    {
        TraceCollection traces = new(PolicyCompiler.Parse(
            "policies: [{ name: a, type: string_attribute, string_attribute: { key: service.name, values: [cart] } }]",
            new ConfigurationErrors())!.CreateProgram());
        ResourceSpans spans = new TraceBuilder().Resource("cart").Span(1, 1).Build().ResourceSpans[0];
        byte[] resource = new ResourceSpans { Resource = spans.Resource }.ToByteArray();
        spans.Resource = null;
        byte[] content = [.. spans.ToByteArray(), .. resource];

        traces.Add([10, (byte)content.Length, .. content]);

        Assert.NotEqual(0UL, Assert.Single(traces.Traces).Conditions[0]);
    }

    [Theory]
    [InlineData(new byte[] { 10 })]
    [InlineData(new byte[] { 10, 5, 1 })]
    [InlineData(new byte[] { 15 })]
    [InlineData(new byte[] { 10, 6, 18, 4, 18, 2, 10, 9 })]
    public void Add_Malformed_ThrowsFormatException(byte[] bytes)
    {
        Assert.Throws<FormatException>(() => _traces.Add(bytes));
    }

    private static TraceBuilder Traces() => new TraceBuilder().Resource("service");
}
