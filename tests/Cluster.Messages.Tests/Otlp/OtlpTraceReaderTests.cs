using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;
using Resource = Cluster.Testing.Otlp.Resource;

namespace Cluster.Messages.Tests.Otlp;

public sealed class OtlpTraceReaderTests
{
    [Fact]
    public void Read_RandomRequests_GivesEverySpanWithItsResourceAndScope()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            byte[] bytes = RandomTraces.NoisyBytes(seed);
            ExportTraceServiceRequest request = ExportTraceServiceRequest.Parser.ParseFrom(bytes);
            var expected = request.ResourceSpans
                .SelectMany(resource => resource.ScopeSpans, (resource, scopeSpans) => (resource.Resource, ScopeSpans: scopeSpans))
                .SelectMany(pair => pair.ScopeSpans.Spans, (pair, span) => (pair.Resource, pair.ScopeSpans.Scope, Span: span))
                .ToList();
            int index = 0;
            foreach (OtlpSpan span in new OtlpTraceReader(bytes))
            {
                (Resource? resource, InstrumentationScope? scope, Span oracle) = expected[index++];
                Assert.Equal(oracle, Span.Parser.ParseFrom(span.Bytes));
                Assert.Equal(resource ?? new Resource(), Resource.Parser.ParseFrom(span.Resource));
                Assert.Equal(scope ?? new InstrumentationScope(), InstrumentationScope.Parser.ParseFrom(span.Scope));
                Assert.Equal(TraceId.Read(oracle.TraceId.Span), span.TraceId);
                Assert.Equal(SpanId.Read(oracle.SpanId.Span), span.SpanId);
                Assert.Equal(oracle.ParentSpanId.IsEmpty ? default : SpanId.Read(oracle.ParentSpanId.Span), span.ParentSpanId);
                Assert.Equal(oracle.Name, span.Name);
                Assert.Equal(oracle.TraceState, span.TraceState);
                Assert.Equal(oracle.Flags, span.Flags);
                Assert.Equal((int)oracle.Kind, span.Kind);
                Assert.Equal((oracle.StartTimeUnixNano, oracle.EndTimeUnixNano), (span.StartTimeUnixNano, span.EndTimeUnixNano));
                Assert.Equal(resource?.Attributes.First(attribute => attribute.Key == "service.name").Value?.StringValue, span.ServiceName);
            }

            Assert.Equal(expected.Count, index);
        }
    }

    [Fact]
    public void Read_ErrorStatus_IsSeen()
    {
        byte[] request = new TraceBuilder().Resource("cart").Span(trace: 1, id: 2).Error("no")
            .With("k", "v").With("n", 1).With("k", "second").ToBytes();

        foreach (OtlpSpan span in new OtlpTraceReader(request))
        {
            Assert.Equal((2, "no"), (span.StatusCode, span.StatusMessage));
            Assert.Equal("cart", span.ServiceName);
            Assert.Equal("v", span.FindAttribute("k"u8));
            Assert.Null(span.FindAttribute("n"u8));
            Assert.Null(span.FindAttribute("missing"u8));
        }
    }

    [Fact]
    public void Read_IdsOfWrongLength_AreInvalid()
    {
        Span span = new()
        {
            TraceId = ByteString.CopyFrom(1, 2),
            SpanId = ByteString.CopyFrom(new byte[9]),
            ParentSpanId = ByteString.CopyFrom(1),
        };

        OtlpSpan view = new([], [], span.ToByteArray());

        Assert.False(view.TraceId.IsValid || view.SpanId.IsValid || view.ParentSpanId.IsValid);
        Assert.Null(view.ServiceName);
    }

    [Fact]
    public void FindText_OneofSetTwice_LastCounts()
    {
        // service.name = "a", then the same value as an integer; and the other way round.
        byte[] key = new KeyValue { Key = "k" }.ToByteArray();
        byte[] text = new AnyValue { StringValue = "a" }.ToByteArray();
        byte[] number = new AnyValue { IntValue = 7 }.ToByteArray();

        Assert.Null(OtlpSpan.FindText(Attribute(key, [.. text, .. number]), 1, "k"u8));
        Assert.Equal("a", OtlpSpan.FindText(Attribute(key, [.. number, .. text]), 1, "k"u8));

        static byte[] Attribute(byte[] key, byte[] value) =>
            [0x0A, (byte)(key.Length + value.Length + 2), .. key, 0x12, (byte)value.Length, .. value];
    }

    [Fact]
    public void Read_ManyPartsOfAResource_TakesLinearTime()
    {
        byte[] parts = [.. Enumerable.Repeat<byte[]>([0x0A, 2, 0x10, 1], 500_000).SelectMany(part => part), 0x12, 2, 0x12, 0];
        using Messages.Protobuf.PooledBuffer request = new();
        int content = request.BeginMessage(1);
        request.Write(parts);
        request.EndMessage(content);

        int spans = 0;
        foreach (OtlpSpan span in new OtlpTraceReader(request.WrittenSpan))
        {
            spans++;
            Assert.Equal(1_000_000, span.Resource.Length);
        }

        Assert.Equal(1, spans);
    }

    [Fact]
    public void Read_MutatedBytes_EndsOrThrowsFormatException()
    {
        Random random = new(7);
        for (int seed = 0; seed < 200; seed++)
        {
            byte[] bytes = RandomTraces.NoisyBytes(seed, new RandomTracesSize { Traces = 1, SpansPerTrace = 3 });
            for (int mutations = 0; mutations < 20; mutations++)
            {
                try
                {
                    foreach (OtlpSpan span in new OtlpTraceReader(Mutation.Of(bytes, random)))
                    {
                        Assert.NotNull(span.Name + span.ServiceName + span.StatusMessage + span.StatusCode + span.FindAttribute("a"u8));
                    }
                }
                catch (FormatException)
                {
                    // Declared.
                }
            }
        }
    }
}
