using System.Buffers;
using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Messages.Tests.Otlp;

public sealed class OtlpJsonWriteTests
{
    [Fact]
    public void WriteRequest_EveryField_IsWrittenByTheConventions()
    {
        ExportTraceServiceRequest request = new TraceBuilder().Resource("cart").Scope("lib", "1.0")
            .Span(trace: 1, id: 0xAB, parent: 2, name: "GET <é>", durationMs: 2).TraceState("a=b").Flags(257).Error("no")
            .With("i", -1).With("d", double.NegativeInfinity).With("z", 0.0).With("b", false).With("y", new byte[] { 1 })
            .With("l", new object[] { "x", 1.5 })
            .With("m", new Dictionary<string, object> { ["k"] = "" })
            .Event("e").Link(3, 4).Build();
        request.ResourceSpans[0].SchemaUrl = "r";
        request.ResourceSpans[0].Resource.DroppedAttributesCount = 9;
        request.ResourceSpans[0].Resource.EntityRefs.Add(new EntityRef { Type = "service", IdKeys = { "service.name", "" } });
        request.ResourceSpans[0].ScopeSpans[0].SchemaUrl = "s";
        Span span = request.ResourceSpans[0].ScopeSpans[0].Spans[0];
        (span.DroppedAttributesCount, span.DroppedEventsCount, span.DroppedLinksCount) = (1, 2, uint.MaxValue);

        string expected = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}],"droppedAttributesCount":9,
            "entityRefs":[{"type":"service","idKeys":["service.name",""]}]},
            "scopeSpans":[{"scope":{"name":"lib","version":"1.0"},
            "spans":[{"traceId":"9e3779b97f4a7c150000000000000001","spanId":"00000000000000ab",
            "traceState":"a=b","parentSpanId":"0000000000000002","flags":257,"name":"GET <é>","kind":1,
            "startTimeUnixNano":"1767225600000000000","endTimeUnixNano":"1767225600002000000",
            "attributes":[{"key":"i","value":{"intValue":"-1"}},
            {"key":"d","value":{"doubleValue":"-Infinity"}},{"key":"z","value":{"doubleValue":0}},
            {"key":"b","value":{"boolValue":false}},{"key":"y","value":{"bytesValue":"AQ=="}},
            {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"},{"doubleValue":1.5}]}}},
            {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":""}}]}}}],
            "droppedAttributesCount":1,"events":[{"timeUnixNano":"1767225600000000000","name":"e"}],"droppedEventsCount":2,
            "links":[{"traceId":"daa66d2c7ddf743f0000000000000003","spanId":"0000000000000004"}],"droppedLinksCount":4294967295,
            "status":{"message":"no","code":2}}],"schemaUrl":"s"}],"schemaUrl":"r"}]}
            """;
        Assert.Equal(expected.ReplaceLineEndings(""), Json(request.ToByteArray()));
    }

    [Fact]
    public void WriteRequest_NoBytes_IsAnEmptyObject() => Assert.Equal("{}", Json([]));

    [Fact]
    public void WriteRequest_TextThatIsNotUtf8_GetsReplacementCharacters() =>
        Assert.Equal("""{"resourceSpans":[{"schemaUrl":"a\uFFFDb"}]}""", Json([0x0A, 5, 0x1A, 3, (byte)'a', 0xFF, (byte)'b']));

    [Fact]
    public void WriteRequest_SameMemberOfAOneofTwice_Merges()
    {
        // Two array values merge; with a string between them, only the second counts, as in every generated parser.
        byte[] one = [0x2A, 4, 0x0A, 2, 0x18, 1];
        byte[] text = [0x0A, 1, (byte)'x'];

        Assert.Equal("""{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"1"}]}}""", AnyValueJson([.. one, .. one]));
        Assert.Equal("""{"arrayValue":{"values":[{"intValue":"1"}]}}""", AnyValueJson([.. one, .. text, .. one]));
        Assert.Equal("""{"stringValue":"x"}""", AnyValueJson([.. one, .. text]));
        Assert.Equal(2, AnyValue.Parser.ParseFrom([.. one, .. one]).ArrayValue.Values.Count);
        Assert.Single(AnyValue.Parser.ParseFrom([.. one, .. text, .. one]).ArrayValue.Values);
    }

    [Fact]
    public void WriteRequest_FieldOfAnotherWireType_IsAnUnknownOne() =>
        Assert.Equal("""{"resourceSpans":[{}]}""", Json([0x0A, 2, 0x18, 7]));

    [Theory]
    [InlineData("0A")]
    [InlineData("0A05")]
    [InlineData("0A0112")]
    [InlineData("00")]
    [InlineData("0F")]
    [InlineData("0C")]
    [InlineData("0B")]
    [InlineData("0A02FFFF")]
    public void WriteRequest_Malformed_ThrowsFormatException(string hex) =>
        Assert.Throws<FormatException>(() => Json(Convert.FromHexString(hex)));

    [Fact]
    public void WriteRequest_NestedWithoutEnd_ThrowsFormatException()
    {
        byte[] value = [];
        for (int i = 0; i < 20_000; i++)
        {
            value = Nest(value, i % 2 == 0 ? 1 : 5);
        }

        Assert.Throws<FormatException>(() => AnyValueJson(value));
    }

    private static byte[] Nest(byte[] content, int field)
    {
        byte[] buffer = new byte[WireWriter.LengthDelimitedSize(content.Length)];
        return buffer[..WireWriter.WriteBytes(buffer, 0, field, content)];
    }

    private static string AnyValueJson(byte[] value)
    {
        string json = Json(Nest(Nest(Nest(Nest(Nest(value, 2), 9), 2), 2), 1));
        return json["""{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":""".Length..^"}]}]}]}]}".Length];
    }

    private static string Json(byte[] request)
    {
        ArrayBufferWriter<byte> output = new();
        OtlpJson.WriteRequest(request, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
