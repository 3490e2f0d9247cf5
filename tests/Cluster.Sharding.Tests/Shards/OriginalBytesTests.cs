using Cluster.Sharding.Region;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>
/// Goal: whatever valid bytes come in, what was split, buffered and written out decodes to the same spans under the same resources and
/// scopes, unknown fields included. The oracle is the protobuf library's generated classes.
/// </summary>
public sealed class OriginalBytesTests
{
    private const string KeepAll = "policies: [{ name: all, type: always_sample }]";

    [Fact]
    public void Kept_RandomRequestsInUnusualEncodings_DecodeToTheSameSpans()
    {
        for (int seed = 0; seed < 1500; seed++)
        {
            byte[] request = RandomTraces.NoisyBytes(seed);
            using ShardHarness shard = new(KeepAll, new ShardRegionOptions { DecisionWait = TimeSpan.FromMilliseconds(20) });
            shard.Send(request);
            shard.Pass(40);

            Assert.True(
                Valid(ExportTraceServiceRequest.Parser.ParseFrom(request)).Flat().SequenceEqual(shard.Kept().Flat()), $"seed {seed}");
        }
    }

    [Fact]
    public void Kept_ManyRequestsOfTheSameTraces_DecodeToTheSameSpansOnce()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            using ShardHarness shard = new(KeepAll, new ShardRegionOptions { DecisionWait = TimeSpan.FromMilliseconds(500) });
            ExportTraceServiceRequest all = new();
            for (int part = 0; part < 10; part++)
            {
                ExportTraceServiceRequest request = RandomTraces.Request(seed * 100 + part, new RandomTracesSize { Traces = 3, SpansPerTrace = 4 });
                foreach (Span span in request.Spans())
                {
                    // The same few traces in every part; span IDs stay different.
                    span.TraceId = TraceBuilder.Bytes(TraceBuilder.TraceId((ulong)(span.SpanId.Span[7] % 5) + 1));
                }

                all.MergeFrom(request);
                byte[] bytes = Google.Protobuf.MessageExtensions.ToByteArray(request);
                shard.Send(bytes);
                shard.Send(bytes);
                shard.Pass(10);
            }

            shard.Pass(600);
            Assert.True(Valid(all).Flat().SequenceEqual(shard.Kept().Flat()), $"seed {seed}");
        }
    }

    private static ExportTraceServiceRequest Valid(ExportTraceServiceRequest request)
    {
        foreach (ScopeSpans scope in request.ResourceSpans.SelectMany(r => r.ScopeSpans))
        {
            List<Span> valid = [.. scope.Spans.Where(s => s.TraceId.Length == 16 && s.SpanId.Length == 8 && s.TraceId.Any(b => b != 0) && s.SpanId.Any(b => b != 0))];
            scope.Spans.Clear();
            scope.Spans.AddRange(valid);
        }

        return request;
    }
}
