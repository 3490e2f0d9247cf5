using System.Buffers;
using System.Text.Json;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Messages.Tests.Otlp;

/// <summary>Judged by the generated classes.</summary>
public sealed class OtlpJsonRoundTripTests
{
    private const int Seeds = 200;
    private static readonly MessageParser<ExportTraceServiceRequest> KnownFields =
        ExportTraceServiceRequest.Parser.WithDiscardUnknownFields(true);

    [Fact]
    public void TryReadRequest_RandomStyle_IsWhatTheGeneratedParserExpects()
    {
        using PooledBuffer output = new();
        for (int seed = 0; seed < Seeds; seed++)
        {
            ExportTraceServiceRequest expected = RandomTraces.Request(seed);
            byte[] json = RandomOtlpJson.Write(expected, seed);

            output.Clear();
            bool read = OtlpJson.TryReadRequest(json, output, out OtlpJsonError error);

            Assert.True(read, $"seed {seed}: {error}");
            Assert.True(expected.Equals(KnownFields.ParseFrom(output.WrittenSpan)), $"seed {seed}");
            Assert.InRange(output.Length, 0, json.Length * 3 / 2 + 64);
        }
    }

    [Fact]
    public void WriteRequest_NoisyBytes_ReadsBackAsTheSameMessage()
    {
        using PooledBuffer output = new();
        for (int seed = 0; seed < Seeds; seed++)
        {
            ExportTraceServiceRequest expected = RandomTraces.Request(seed);
            byte[] bytes = NoisyEncoder.Encode(expected, seed);
            Assert.True(expected.Equals(KnownFields.ParseFrom(bytes)), $"the encoder itself, seed {seed}");

            ArrayBufferWriter<byte> json = new();
            OtlpJson.WriteRequest(bytes, json);
            output.Clear();
            bool read = OtlpJson.TryReadRequest(json.WrittenSpan, output, out OtlpJsonError error);

            Assert.True(read, $"seed {seed}: {error}");
            Assert.True(expected.Equals(KnownFields.ParseFrom(output.WrittenSpan)), $"seed {seed}");
            using JsonDocument document = JsonDocument.Parse(json.WrittenMemory, new JsonDocumentOptions { MaxDepth = 512 });
            Assert.DoesNotContain((byte)'\n', json.WrittenSpan.ToArray());
        }
    }

    [Fact]
    public void WriteRequest_SameMessageInAnyEncoding_IsTheSameText()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            ExportTraceServiceRequest message = RandomTraces.Request(seed);
            ArrayBufferWriter<byte> plain = new();
            ArrayBufferWriter<byte> noisy = new();

            OtlpJson.WriteRequest(message.ToByteArray(), plain);
            OtlpJson.WriteRequest(NoisyEncoder.Encode(message, seed), noisy);

            Assert.Equal(plain.WrittenSpan, noisy.WrittenSpan);
        }
    }

    [Fact]
    public void TryReadRequest_MutatedJson_ReturnsAnErrorOrAMessage()
    {
        Random random = new(1);
        using PooledBuffer output = new();
        for (int seed = 0; seed < 150; seed++)
        {
            byte[] json = RandomOtlpJson.Write(RandomTraces.Request(seed, new RandomTracesSize { Traces = 1, SpansPerTrace = 2 }), seed);
            for (int mutations = 0; mutations < 20; mutations++)
            {
                byte[] mutant = Mutation.Of(json, random);
                output.Clear();
                output.Write("before"u8);
                if (OtlpJson.TryReadRequest(mutant, output, out OtlpJsonError error))
                {
                    ExportTraceServiceRequest.Parser.ParseFrom(output.WrittenSpan[6..]);
                }
                else
                {
                    Assert.InRange(error.Offset, 0, mutant.Length);
                    Assert.NotEmpty(error.Problem);
                    Assert.Equal("before"u8, output.WrittenSpan);
                }
            }
        }
    }

    [Fact]
    public void WriteRequest_MutatedBytes_WritesJsonOrThrowsFormatException()
    {
        Random random = new(2);
        for (int seed = 0; seed < 150; seed++)
        {
            byte[] bytes = RandomTraces.NoisyBytes(seed, new RandomTracesSize { Traces = 1, SpansPerTrace = 2 });
            for (int mutations = 0; mutations < 20; mutations++)
            {
                byte[] mutant = Mutation.Of(bytes, random);
                ArrayBufferWriter<byte> json = new();
                try
                {
                    OtlpJson.WriteRequest(mutant, json);
                }
                catch (FormatException)
                {
                    continue;
                }

                using JsonDocument document = JsonDocument.Parse(json.WrittenMemory, new JsonDocumentOptions { MaxDepth = 1000 });
                Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
            }
        }
    }
}
