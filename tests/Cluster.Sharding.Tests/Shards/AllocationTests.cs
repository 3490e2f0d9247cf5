using Cluster.Messages.Frames;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>Goal: in steady state a shard allocates nothing for a span, a trace or a decision; only requests on their way out are objects.</summary>
public sealed class AllocationTests
{
    private const int Rounds = 300;

    private const string Policies = """
        policies:
          - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
          - { name: slow, type: latency, latency: { threshold_ms: 500 } }
          - { name: some, type: probabilistic, probabilistic: { sampling_percentage: 10 } }
          - { name: routes, type: string_attribute, string_attribute: { key: http.route, values: [/checkout] } }
          - { name: few, type: rate_limiting, rate_limiting: { spans_per_second: 100 } }
        """;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void DeliverDecideAndWrite_SteadyState_AllocateOnlyTheRequestsThatLeave(bool recordPolicy, bool settle)
    {
        ReleasingQueue queue = new();
        ShardRegionOptions options = new()
        {
            DecisionWait = TimeSpan.FromMilliseconds(200),
            Settle = settle ? TimeSpan.FromMilliseconds(50) : TimeSpan.Zero,
            RecordPolicy = recordPolicy,
            SampledCacheSize = 500,
            NonSampledCacheSize = 500,
        };
        using ShardHarness shard = new(Policies, options, queue: queue);
        List<byte[]> frames = [];
        for (ulong round = 0; round < Rounds; round++)
        {
            TraceBuilder request = new TraceBuilder().Resource("service " + round % 7);
            for (ulong i = 0; i < 40; i++)
            {
                // The second half of each round belongs to traces of earlier ones: some pending, some decided.
                ulong trace = i < 20 ? round * 20 + i + 1 : Math.Max(1, round * 20 - Math.Min(round * 20, i * 25));
                request.Span(trace, round * 100 + i + 1, parent: i % 5).With("http.route", i % 9 == 0 ? "/checkout" : "/cart");
                if (i % 13 == 0)
                {
                    request.Error();
                }
            }

            frames.AddRange(shard.Frames(request.ToBytes()));
        }

        for (int warmUp = 0; warmUp < 4; warmUp++)
        {
            Run(shard, frames);
        }

        // The least of several runs: a collection may take arrays out of the pool, which are then made anew.
        long leastTooMany = long.MaxValue;
        for (int run = 0; run < 8 && leastTooMany != 0; run++)
        {
            queue.Requests = 0;
            long kept = shard.Services.Writer.TotalSpans;
            long before = GC.GetAllocatedBytesForCurrentThread();
            Run(shard, frames);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(shard.Services.Writer.TotalSpans - kept > 500);
            Assert.True(queue.Requests > 50);
            leastTooMany = Math.Min(leastTooMany, allocated - queue.Requests * queue.BytesPerRequest);
        }

        Assert.Equal(0, leastTooMany);
    }

    private static void Run(ShardHarness shard, List<byte[]> frames)
    {
        foreach (byte[] bytes in frames)
        {
            FrameReader.TryOpen(bytes, out FrameReader frame);
            shard.Core.Deliver(frame, shard.Now);
            shard.Now += 10;
            shard.Core.Advance(shard.Now);
            shard.Services.Writer.Flush();
        }
    }

    private sealed class ReleasingQueue : IKeptTraceQueue
    {
        public long Requests { get; set; }

        /// <summary>What one <see cref="KeptTraces"/> takes on the heap.</summary>
        public long BytesPerRequest { get; } = Measure();

        public bool HasRoom => true;

        public void Enqueue(KeptTraces traces)
        {
            Requests++;
            traces.Release();
        }

        private static long Measure()
        {
            byte[] bytes = System.Buffers.ArrayPool<byte>.Shared.Rent(1);
            long before = GC.GetAllocatedBytesForCurrentThread();
            KeptTraces traces = new(bytes, 0, 0, 0);
            long size = GC.GetAllocatedBytesForCurrentThread() - before;
            traces.Release();
            return size;
        }
    }
}
