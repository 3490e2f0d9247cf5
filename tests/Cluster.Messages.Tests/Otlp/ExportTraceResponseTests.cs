using System.Buffers;
using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Messages.Tests.Otlp;

public sealed class ExportTraceResponseTests
{
    [Theory]
    [InlineData(0, "", "{}")]
    [InlineData(3, "", """{"partialSuccess":{"rejectedSpans":"3"}}""")]
    [InlineData(0, "slow \"down\"", """{"partialSuccess":{"errorMessage":"slow \"down\""}}""")]
    [InlineData(long.MaxValue, "é", """{"partialSuccess":{"rejectedSpans":"9223372036854775807","errorMessage":"é"}}""")]
    public void Write_BothEncodings_SayTheSame(long rejected, string message, string json)
    {
        ArrayBufferWriter<byte> protobuf = new();
        ArrayBufferWriter<byte> text = new();

        ExportTraceResponse.Write(protobuf, rejected, message);
        ExportTraceResponse.WriteJson(text, rejected, message);

        ExportTraceServiceResponse parsed = ExportTraceServiceResponse.Parser.ParseFrom(protobuf.WrittenSpan);
        Assert.Equal(rejected, parsed.PartialSuccess?.RejectedSpans ?? 0);
        Assert.Equal(message, parsed.PartialSuccess?.ErrorMessage ?? "");
        Assert.Equal(json, Encoding.UTF8.GetString(text.WrittenSpan));
        Assert.True(ExportTraceResponse.TryRead(protobuf.WrittenSpan, out long readRejected, out string readMessage));
        Assert.Equal((rejected, message), (readRejected, readMessage));
        Assert.True(ExportTraceResponse.TryReadJson(text.WrittenSpan, out readRejected, out readMessage));
        Assert.Equal((rejected, message), (readRejected, readMessage));
    }

    [Fact]
    public void Write_LoneSurrogate_IsReplaced()
    {
        ArrayBufferWriter<byte> protobuf = new();
        ArrayBufferWriter<byte> text = new();

        ExportTraceResponse.Write(protobuf, 0, "a\uD800b");
        ExportTraceResponse.WriteJson(text, 0, "a\uD800b");

        Assert.True(ExportTraceResponse.TryRead(protobuf.WrittenSpan, out _, out string message));
        Assert.Equal("a\uFFFDb", message);
        Assert.True(ExportTraceResponse.TryReadJson(text.WrittenSpan, out _, out message));
        Assert.Equal("a\uFFFDb", message);
    }

    [Theory]
    [InlineData("{}", 0, "")]
    [InlineData("""{"partialSuccess":null}""", 0, "")]
    [InlineData("""{"partial_success":{"rejected_spans":2,"error_message":"x"},"more":[1]}""", 2, "x")]
    [InlineData("""{"partialSuccess":{"rejectedSpans":null,"errorMessage":null}}""", 0, "")]
    public void TryReadJson_AnyStyle_IsRead(string json, long rejected, string message)
    {
        Assert.True(ExportTraceResponse.TryReadJson(Encoding.UTF8.GetBytes(json), out long actualRejected, out string actualMessage));
        Assert.Equal((rejected, message), (actualRejected, actualMessage));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{} x")]
    [InlineData("""{"partialSuccess":[]}""")]
    [InlineData("""{"partialSuccess":{"rejectedSpans":"many"}}""")]
    [InlineData("""{"partialSuccess":{"rejectedSpans":1.5}}""")]
    [InlineData("""{"partialSuccess":{"errorMessage":5}}""")]
    [InlineData("""{"partialSuccess":{"errorMessage":"\ud800"}}""")]
    public void TryReadJson_NoResponse_IsFalse(string json) =>
        Assert.False(ExportTraceResponse.TryReadJson(Encoding.UTF8.GetBytes(json), out _, out _));

    [Fact]
    public void Write_NothingToSay_WritesNothing()
    {
        ArrayBufferWriter<byte> output = new();

        ExportTraceResponse.Write(output, 0, "");

        Assert.Equal(0, output.WrittenCount);
    }

    [Fact]
    public void TryRead_UnknownFieldsAndParts_AreMerged()
    {
        ExportTraceServiceResponse first = new() { PartialSuccess = new ExportTracePartialSuccess { RejectedSpans = 2 } };
        ExportTraceServiceResponse second = new() { PartialSuccess = new ExportTracePartialSuccess { ErrorMessage = "x" } };
        byte[] bytes = [.. first.ToByteArray(), 0x78, 1, .. second.ToByteArray()];

        Assert.True(ExportTraceResponse.TryRead(bytes, out long rejected, out string message));

        Assert.Equal((2, "x"), (rejected, message));
    }

    [Theory]
    [InlineData("0A")]
    [InlineData("0A0208")]
    [InlineData("0A0108")]
    [InlineData("07")]
    public void TryRead_Malformed_IsFalse(string hex) =>
        Assert.False(ExportTraceResponse.TryRead(Convert.FromHexString(hex), out _, out _));

    [Fact]
    public void TryRead_MutatedBytes_NeverThrows()
    {
        ArrayBufferWriter<byte> output = new();
        ExportTraceResponse.Write(output, 300, "some were not taken");
        Random random = new(6);
        for (int i = 0; i < 20_000; i++)
        {
            ExportTraceResponse.TryRead(Mutation.Of(output.WrittenSpan.ToArray(), random), out _, out string message);
            Assert.NotNull(message);
        }
    }
}
