using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;
using Xunit.Sdk;

namespace Cluster.EndToEnd.Tests;

/// <summary>The comparison that all other tests here stand on finds what it is there to find.</summary>
public sealed class DeliveryTests
{
    private static readonly string[] Kept = [TraceBuilder.TraceId(1).ToString()];

    [Fact]
    public void AssertKept_ExactlyWhatWasKept_Passes() => Delivery.AssertKept([Sent()], Kept, [Arrived()]);

    [Fact]
    public void AssertKept_SpansOfATraceInSeveralRequests_Passes()
    {
        ExportTraceServiceRequest first = Arrived();
        ExportTraceServiceRequest second = Arrived();
        first.ResourceSpans[0].ScopeSpans[0].Spans.RemoveAt(1);
        second.ResourceSpans[0].ScopeSpans[0].Spans.RemoveAt(0);
        Delivery.AssertKept([Sent()], Kept, [second, first]);
    }

    [Fact]
    public void AssertKept_SpanMissing_Fails() => AssertFails(request => Spans(request).RemoveAt(1));

    [Fact]
    public void AssertKept_SpanTwice_Fails() => AssertFails(request => Spans(request).Add(Spans(request)[0].Clone()));

    [Fact]
    public void AssertKept_TraceThatWasNotKept_Fails() => AssertFails(request => request.ResourceSpans.Add(Sent().ResourceSpans));

    [Fact]
    public void AssertKept_AttributeChanged_Fails() => AssertFails(request => Spans(request)[0].Attributes[0].Value.IntValue++);

    [Fact]
    public void AssertKept_EventLost_Fails() => AssertFails(request => Spans(request)[1].Events.Clear());

    [Fact]
    public void AssertKept_ResourceChanged_Fails() => AssertFails(request => request.ResourceSpans[0].Resource.Attributes.Clear());

    [Fact]
    public void AssertKept_SchemaUrlLost_Fails() => AssertFails(request => request.ResourceSpans[0].SchemaUrl = "");

    [Fact]
    public void AssertKept_UnknownFieldLost_Fails() => AssertFails(request =>
        request.ResourceSpans[0] = ResourceSpans.Parser.WithDiscardUnknownFields(true).ParseFrom(request.ResourceSpans[0].ToByteArray()));

    private static void AssertFails(Action<ExportTraceServiceRequest> change)
    {
        ExportTraceServiceRequest arrived = Arrived();
        change(arrived);
        Assert.ThrowsAny<XunitException>(() => Delivery.AssertKept([Sent()], Kept, [arrived]));
    }

    /// <summary>Two traces; the first is the one to keep.</summary>
    private static ExportTraceServiceRequest Sent()
    {
        ExportTraceServiceRequest request = new TraceBuilder()
            .Span(1, 1).With("n", 1).Span(1, 2, 1).Event("happened").Span(2, 1)
            .Build();
        request.ResourceSpans[0].SchemaUrl = "https://opentelemetry.io/schemas/1.27.0";
        // An unknown varint field, number 500.
        request.ResourceSpans[0].MergeFrom((byte[])[0xA0, 0x1F, 0x01]);
        return request;
    }

    private static ExportTraceServiceRequest Arrived()
    {
        ExportTraceServiceRequest request = Sent();
        Spans(request).RemoveAt(2);
        return request;
    }

    private static IList<Span> Spans(ExportTraceServiceRequest request) => request.ResourceSpans[0].ScopeSpans[0].Spans;
}
