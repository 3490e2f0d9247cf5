using System.Net;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Routing;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Region;

/// <summary>What a node of a cluster counts, put together from its parts. Time stands still, and no other node is there.</summary>
public sealed class OwnershipCountingTests : IAsyncLifetime
{
    private const int Shards = 4;

    private static readonly MemberId Self = new("self", 1);
    private static readonly MemberId Other = new("other", 2);

    private readonly ManualTimeProvider _time = new();
    private readonly QueueFake _queue = new();
    private readonly QueueingPeers _peers = new();
    private readonly PolicySet _policies = PolicyCompiler.Parse(
        "policies: [{ name: slow, type: rate_limiting, rate_limiting: { spans_per_second: 100 } }]", new ConfigurationErrors())!;

    private ClusterRuntime _runtime = null!;
    private PeerLinks _links = null!;
    private ShardRegion _region = null!;

    public ValueTask InitializeAsync()
    {
        MonotonicClock clock = new(_time);
        LeasedBudgets budgets = new(_policies.Budgets);
        _runtime = new ClusterRuntime(Self, Shards, budgets, _policies, clock, (_, _) => Task.FromResult(""), new ClusterLogFake());
        _links = new PeerLinks(
            new PeerLinkOptions { Self = Self, Cluster = "test", ShardCount = Shards, Listen = new IPEndPoint(IPAddress.Loopback, 0) },
            _runtime,
            _time,
            new Random(1));
        _region = new ShardRegion(
            Self,
            new ShardRegionOptions { ShardCount = Shards, Workers = 2, KeepWholeFrames = true },
            _policies,
            budgets,
            ShardAllocation.Unowned(Shards),
            _queue,
            clock,
            new TraceIdHasher(3),
            _peers);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _runtime.DisposeAsync();
        await _region.DisposeAsync();
        await _links.DisposeAsync();
    }

    [Fact]
    public void Numbers_BeforeThePartsAreBound_AreThoseOfNothing()
    {
        Assert.Equal(new FrameTraffic(), _runtime.Traffic);
        Assert.Equal((0, 0), (_runtime.Promotions, _runtime.Moves));
        Assert.Equal([new BudgetStatus("slow", 0, 0, 0)], _runtime.Budgets);
    }

    [Fact]
    public void SnapshotChanged_OwnersChange_AddsUpPromotionsAndMoves()
    {
        Bind();
        See(1, [Self, Other], Other, Other, Self, Other);
        Assert.Equal((0, 0), (_runtime.Promotions, _runtime.Moves));
        See(2, [Self, Other], Self, Other, Other, Other);
        Assert.Equal((0, 2), (_runtime.Promotions, _runtime.Moves));
        See(3, [Self], Self, Self, Other, Other);
        Assert.Equal((1, 2), (_runtime.Promotions, _runtime.Moves));
        See(4, [Self], Self, Self, Self, Self);
        Assert.Equal((3, 2), (_runtime.Promotions, _runtime.Moves));
    }

    [Fact]
    public async Task Traffic_FramesForOthers_AreCountedWhenTheyAreSent()
    {
        Bind();
        See(1, [Self, Other], Other, Other, Other, Other);
        TraceBuilder request = new();
        for (ulong trace = 1; trace <= 50; trace++)
        {
            request.Span(trace, 1);
        }

        Task<IntakeOutcome> outcome = new ShardRouter(_region, 1, new TraceIdHasher(3), schedule: turn => turn.Execute())
            .ConsumeAsync(request.ToBytes(), default).AsTask();
        Assert.Equal(Shards, _peers.Frames);
        Assert.Equal((Shards, 0), (_runtime.Traffic.ForwardedFrames, _runtime.Traffic.ForwardedAgainFrames));

        // The connection is made anew: whether they came is not known.
        _region.ConnectionChanged(Other, connected: true);
        _time.Advance(TimeSpan.FromMilliseconds(200));
        Assert.Equal((2 * Shards, Shards), (_runtime.Traffic.ForwardedFrames, _runtime.Traffic.ForwardedAgainFrames));
        _time.Advance(new ShardRegionOptions().DeliveryTimeout);
        Assert.Equal(IntakeOutcome.Refused(Refusal.DeadlineExceeded), await outcome);
    }

    [Fact]
    public void Traffic_SeveralWorkers_IsTheirSum()
    {
        Bind();
        Assert.Equal(2, _region.Workers.Length);
        for (int i = 0; i < 2; i++)
        {
            WorkerStatistics worker = _region.Workers[i].Statistics;
            worker.RepeatedFrames = 10 + i;
            worker.ReplicatedFramesOut = 20 + i;
            worker.ReplicatedFramesIn = 30 + i;
            worker.ReplicatedBytesOut = 40 + i;
            worker.ReplicatedBytesIn = 50 + i;
            worker.UnacknowledgedBytes = 60 + i;
            worker.Suspects = 70 + i;
        }

        Assert.Equal(
            new FrameTraffic
            {
                RepeatedFrames = 21,
                ReplicatedFramesOut = 41,
                ReplicatedFramesIn = 61,
                ReplicatedBytesOut = 81,
                ReplicatedBytesIn = 101,
                UnacknowledgedBytes = 121,
                Suspects = 141,
            },
            _runtime.Traffic);
    }

    private void Bind() => _runtime.Bind(_region, _links, new PeerQuestions(_links, _runtime, _time));

    private void See(long version, MemberId[] alive, params MemberId[] primaries) =>
        ((IClusterControlObserver)_runtime).SnapshotChanged(new ClusterSnapshot(
            Self,
            [.. alive.Select(id => new Member(id, "127.0.0.1:1"))],
            new ShardAllocation(version, primaries.Select(primary => new ShardAssignment(primary, (uint)version, []))),
            default));

    /// <summary>Takes everything, and delivers nothing.</summary>
    private sealed class QueueingPeers : IPeerSender
    {
        private int _frames;

        public int Frames => _frames;

        public PeerSend Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
        {
            if (kind == PeerMessageKind.Deliver)
            {
                Interlocked.Increment(ref _frames);
            }

            return PeerSend.Queued;
        }
    }
}
