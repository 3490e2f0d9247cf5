using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests;

/// <summary>A kept trace leaves whole, as it came, once.</summary>
public sealed class WholeTraceTests
{
    private static readonly byte[] Unknown = UnknownFields();

    [Fact]
    public async Task Export_TracesSplitOverRequestsAndConnections_LeaveWhole()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = NodeSettings.Never });
        const int Traces = 30;

        // Spans 1 to 4 of every trace, each from another service in another request: only the last says that the trace is worth keeping.
        ExportTraceServiceRequest[] parts = [.. Enumerable.Range(0, 4).Select(part =>
        {
            TraceBuilder builder = new TraceBuilder().Resource($"service-{part}");
            for (ulong trace = 1; trace <= Traces; trace++)
            {
                builder.Span(trace, (ulong)part + 1, (ulong)part, $"operation {part}");
                _ = (part, trace % 3) switch
                {
                    (3, 0) => builder.Error("boom"),
                    (3, 1) => builder.With("customer.tier", "gold"),
                    _ => builder,
                };
            }

            return builder.Build();
        })];
        await Task.WhenAll(parts.Select(async (part, index) =>
        {
            using OtlpSender sender = index % 2 == 0 ? OtlpSender.Grpc(node.Grpc) : OtlpSender.Http(node.Http);
            await sender.SendAsync(part);
        }));

        string[] kept = [.. Ids(Traces, trace => trace % 3 != 2)];
        await StopAndAssertKeptAsync(node, backend, parts, kept);
    }

    [Fact]
    public async Task Export_ManyTracesInOneRequest_EachHasItsOwnFate()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, Exporter.GrpcGzip) { DecisionWait = "1s" });
        const int Traces = 2000;
        TraceBuilder builder = new();
        for (ulong span = 1; span <= 3; span++)
        {
            builder.Resource($"service-{span}");
            for (ulong trace = 1; trace <= Traces; trace++)
            {
                builder.Span(trace, span, span - 1);
                _ = trace % 5 == 0 && span == 2 ? builder.Error() : builder;
            }
        }

        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(builder.Build());
        await AssertKeptAsync(node, backend, [builder.Build()], Ids(Traces, trace => trace % 5 == 0));
    }

    [Theory]
    [InlineData(Exporter.Grpc)]
    [InlineData(Exporter.GrpcGzip)]
    [InlineData(Exporter.HttpProtobuf)]
    public async Task Export_UnknownFieldsAtEveryLevel_AreIntact(Exporter exporter)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter) { DecisionWait = "1s" });
        ExportTraceServiceRequest request = new TraceBuilder()
            .Resource("cart").ResourceAttribute("zone", "a").Scope("library", "1.0")
            .Span(1, 1, name: "root").With("customer.tier", "gold").Event("happened", TraceBuilder.Attribute("why", "because"))
            .Link(9, 9, TraceBuilder.Attribute("kind", "cause")).Status(Status.Types.StatusCode.Ok)
            .Span(1, 2, 1).TraceState("a=1").Flags(0x101)
            .Build();
        foreach (ResourceSpans resource in request.ResourceSpans)
        {
            AddUnknown(resource.Resource.Attributes);
            AddUnknown(resource, resource.Resource);
            foreach (ScopeSpans scope in resource.ScopeSpans)
            {
                AddUnknown(scope, scope.Scope);
                foreach (Span span in scope.Spans)
                {
                    AddUnknown(span.Attributes);
                    AddUnknown([span, .. span.Events, .. span.Links]);
                    if (span.Status is not null)
                    {
                        AddUnknown(span.Status);
                    }
                }
            }
        }

        Assert.Contains(Convert.ToHexStringLower(Unknown), Delivery.Of(request).First().Unknown, StringComparison.Ordinal);
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(request);
        await AssertKeptAsync(node, backend, [request], Ids(1));
    }

    [Fact]
    public async Task Export_SameRequestAgain_CountsOnce()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = NodeSettings.Never });
        ExportTraceServiceRequest request = new TraceBuilder().Span(1, 1).Error().Span(1, 2, 1).Span(1, 3, 1).Span(2, 1).Build();
        using OtlpSender first = OtlpSender.Grpc(node.Grpc);
        using OtlpSender second = OtlpSender.Http(node.Http);
        await first.SendAsync(request);
        await first.SendAsync(request);
        await second.SendAsync(request);
        await StopAndAssertKeptAsync(node, backend, [request], Ids(1));
    }

    [Fact]
    public async Task Export_SpansWithoutIds_AreRejectedAloneAndTheOthersKept()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "1s" });
        ExportTraceServiceRequest good = new TraceBuilder().Span(1, 1).Error().Span(1, 2, 1).Build();
        ExportTraceServiceRequest bad = good.Clone();
        IList<Span> spans = bad.ResourceSpans[0].ScopeSpans[0].Spans;
        spans.Insert(1, new Span { Name = "no trace", SpanId = TraceBuilder.SpanIdBytes(5) });
        spans.Add(new Span { Name = "no span", TraceId = TraceBuilder.Bytes(TraceBuilder.TraceId(1)) });
        spans.Add(new Span { Name = "zeros", TraceId = ByteString.CopyFrom(new byte[16]), SpanId = TraceBuilder.SpanIdBytes(6) });
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        OtlpAnswer answer = await sender.TrySendAsync(bad.ToByteArray());
        Assert.True(answer.Accepted, answer.ToString());
        Assert.Equal(3, answer.RejectedSpans);
        await AssertKeptAsync(node, backend, [good], Ids(1));
    }

    private static async Task AssertKeptAsync(
        NodeProcess node, RecordingBackend backend, IReadOnlyList<ExportTraceServiceRequest> sent, IEnumerable<string> kept)
    {
        await backend.WaitForAsync(sent, kept);
        await StopAndAssertKeptAsync(node, backend, sent, kept);
    }

    /// <summary>Ending the node decides what is pending and sends what is kept.</summary>
    private static async Task StopAndAssertKeptAsync(
        NodeProcess node, RecordingBackend backend, IReadOnlyList<ExportTraceServiceRequest> sent, IEnumerable<string> kept)
    {
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Problems);
        Delivery.AssertKept(sent, kept, backend.Received);
    }

    private static IEnumerable<string> Ids(int count, Func<ulong, bool>? which = null) => Enumerable.Range(1, count)
        .Select(trace => (ulong)trace)
        .Where(which ?? (_ => true))
        .Select(trace => TraceBuilder.TraceId(trace).ToString());

    private static void AddUnknown(IEnumerable<KeyValue> attributes)
    {
        foreach (KeyValue attribute in attributes)
        {
            AddUnknown(attribute, attribute.Value);
        }
    }

    private static void AddUnknown(params IEnumerable<IMessage> messages)
    {
        foreach (IMessage message in messages)
        {
            message.MergeFrom(Unknown);
        }
    }

    /// <summary>Fields of every wire type that no OTLP message has.</summary>
    private static byte[] UnknownFields()
    {
        using MemoryStream stream = new();
        using (CodedOutputStream output = new(stream))
        {
            output.WriteTag(4000, WireFormat.WireType.Varint);
            output.WriteUInt64(ulong.MaxValue);
            output.WriteTag(4001, WireFormat.WireType.Fixed64);
            output.WriteFixed64(1);
            output.WriteTag(4002, WireFormat.WireType.LengthDelimited);
            output.WriteString("from the future");
            output.WriteTag(4003, WireFormat.WireType.Fixed32);
            output.WriteFixed32(7);
        }

        return stream.ToArray();
    }
}
