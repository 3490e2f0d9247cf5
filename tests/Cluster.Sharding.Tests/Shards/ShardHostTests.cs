using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Shards;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>Many shards of one host.</summary>
public sealed class ShardHostTests : IShardHostEffects, IDisposable
{
    private const int Shards = 40;

    private readonly List<Refusal> _answers = [];
    private readonly SlabPool _slabs = new();
    private readonly ShardServices _services;
    private int _throwAt;

    public ShardHostTests()
    {
        ShardRegionOptions options = new() { ShardCount = Shards, DecisionWait = TimeSpan.FromSeconds(5), KeepWholeFrames = true };
        PolicySet set = PolicyCompiler.Parse(ShardHarness.Errors, new ConfigurationErrors())!;
        _services = new ShardServices(options, set, new TokenBuckets(set.Budgets), _slabs, new QueueFake(), new TraceIdHasher(1));
    }

    [Fact]
    public void Advance_ManyShardsInACluster_LooksAfterAFifthOfThemAtATimeAndLeavesNoneOut()
    {
        using ShardHostCore host = Filled();
        host.EndTurn(0);
        Assert.Equal(Shards, _answers.Count(answer => answer == Refusal.None));

        List<int> pending = [];
        for (long now = 5010; now < 5060; now += 10)
        {
            host.Advance(now);
            pending.Add(host.Primaries.Sum(shard => shard.PendingTraces));
        }

        Assert.Equal([32, 24, 16, 8, 0], pending);
    }

    [Fact]
    public void EndTurn_OneShardThrows_TheOthersAreLeftForTheNext()
    {
        using ShardHostCore host = Filled();
        _throwAt = 3;
        Assert.Throws<InvalidOperationException>(() => host.EndTurn(0));
        Assert.Equal(2, _answers.Count);

        host.EndTurn(0);

        Assert.Equal(Shards - 1, _answers.Count);
    }

    public void Dispose()
    {
        _services.Dispose();
        _slabs.Dispose();
    }

    /// <summary>A host with a trace in each of its shards, in a turn that has not ended.</summary>
    private ShardHostCore Filled()
    {
        MemberId self = new("a", 1);
        ShardHostCore host = new(self, _services, this, _ => true, 0);
        host.SetAuthority(long.MaxValue, 0);
        host.Apply(new ShardAllocation(1, [.. Enumerable.Repeat(new ShardAssignment(self, 1, []), Shards)]), 0);
        HashSet<int> filled = [];
        for (ulong trace = 1; filled.Count < Shards; trace++)
        {
            using FrameBatch batch = RequestFrames.Of(new TraceBuilder().Span(trace, 1).ToBytes(), Shards);
            if (filled.Add(batch.Shard(0)))
            {
                byte[] frame = batch.Frame(0).ToArray();
                FrameHeader header = MemoryMarshal.Read<FrameHeader>(frame);
                (header.Term, header.Sender, header.Sequence) = (1, 7, trace);
                MemoryMarshal.Write(frame, header);
                host.Deliver(batch.Shard(0), frame, trace, 0);
            }
        }

        return host;
    }

    void IShardHostEffects.Answer(ulong token, Refusal refusal)
    {
        if (--_throwAt == 0)
        {
            throw new InvalidOperationException();
        }

        _answers.Add(refusal);
    }

    void IShardHostEffects.Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
    {
    }
}
