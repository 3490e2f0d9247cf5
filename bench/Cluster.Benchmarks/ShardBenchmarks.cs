using BenchmarkDotNet.Attributes;
using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;

namespace Cluster.Benchmarks;

/// <summary>
/// The life of the traces of a request in one shard: into log and table, a decision some requests later, forgotten or sent on.
/// What sending on costs is the difference of the two.
/// </summary>
[MemoryDiagnoser]
public class ShardBenchmarks
{
    private const string KeepNone = "policies: [{ name: none, type: probabilistic, probabilistic: { sampling_percentage: 0 } }]";
    private const string KeepAll = "policies: [{ name: all, type: always_sample }]";

    private readonly Shard _forgetting = new(KeepNone);
    private readonly Shard _keeping = new(KeepAll);

    /// <summary>Table insert and decision: no trace is kept.</summary>
    [Benchmark]
    public int InsertAndForget() => _forgetting.Step();

    /// <summary>The same and re-emission: every trace is kept.</summary>
    [Benchmark]
    public int InsertAndReemit() => _keeping.Step();

    /// <summary>A shard whose clock moves a millisecond with every request.</summary>
    private sealed class Shard
    {
        private readonly RequestFrames _frames = new();
        private readonly ShardServices _services;
        private readonly ShardCore _core;
        private long _now;

        public Shard(string policies)
        {
            PolicySet set = BenchmarkRequests.Compile(policies);
            var hasher = new TraceIdHasher(1);
            var options = new ShardRegionOptions
            {
                ShardCount = 1,
                DecisionWait = TimeSpan.FromMilliseconds(50),
                SampledCacheSize = 10_000,
                NonSampledCacheSize = 10_000,
            };
            _services = new ShardServices(options, set, new TokenBuckets(set.Budgets), new SlabPool(), new ReleasingQueue(), hasher);
            _core = new ShardCore(0, 1, _services, _now);
        }

        public int Step()
        {
            _core.Deliver(_frames.Next(), ++_now);
            _core.Advance(_now);
            return _core.PendingTraces;
        }
    }

    private sealed class ReleasingQueue : IKeptTraceQueue
    {
        public bool HasRoom => true;

        public void Enqueue(KeptTraces traces) => traces.Release();
    }
}
