using System.Collections.Concurrent;
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
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Shards;

public sealed class ShardWorkerTests : IAsyncLifetime
{
    private static readonly MemberId Self = new("self", 1);

    private static readonly MemberId Peer = new("peer", 1);

    private readonly ConcurrentQueue<(int Id, Refusal Refusal)> _answers = [];
    private readonly ManualTimeProvider _time = new();
    private readonly SlabPool _slabs = new();
    private readonly QueueFake _queue = new();
    private ShardWorker _worker = null!;
    private RegionLoad _load = null!;

    public ValueTask InitializeAsync()
    {
        Open(new ShardRegionOptions());
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _queue.TakeAll();
        try
        {
            await _worker.DisposeAsync();
        }
        catch (ObjectDisposedException)
        {
        }

        Assert.Equal(0, _slabs.BytesInUse);
        _slabs.Dispose();
    }

    [Fact]
    public async Task Ask_ManyThreads_EveryMessageIsLookedAtAndNoTwoAtOnce()
    {
        int inside = 0;
        int answered = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 16), async (_, _) =>
        {
            for (int i = 0; i < 2000; i++)
            {
                _worker.Tick();
                await _worker.AskAsync((_, _) =>
                {
                    Assert.Equal(1, Interlocked.Increment(ref inside));
                    Interlocked.Decrement(ref inside);
                    return ++answered;
                });
            }
        });
        Assert.Equal(32_000, answered);
    }

    [Fact]
    public async Task Post_ManyThreads_EveryDeliveryIsAcknowledged()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 8), async (thread, _) =>
        {
            Delivery delivery = new(new Ways(this), 0);
            for (int i = 0; i < 500; i++)
            {
                Assert.Equal(Refusal.None, await DeliverAsync(delivery, new TraceBuilder().Span((ulong)(thread * 1000 + i + 1), 1)));
            }
        });
        Assert.Equal(4000, await _worker.AskAsync((shards, _) => shards.Sum(s => s.PendingTraces)));
        Assert.Equal(4000, _load.PendingTraces);
    }

    [Fact]
    public async Task Ask_QuestionThatThrows_ReachesTheAsker_AndTheLoopGoesOn()
    {
        InvalidOperationException wrong = await Assert.ThrowsAsync<InvalidOperationException>(
            () => _worker.AskAsync<int>((_, _) => throw new InvalidOperationException("asked wrongly")));
        Assert.Equal("asked wrongly", wrong.Message);
        Assert.Equal(1, await _worker.AskAsync((_, _) => 1));
        Assert.Equal(0, _worker.Statistics.Failures);
    }

    [Fact]
    public async Task Drain_DeliveryBehindIt_IsRefusedAndNotTaken()
    {
        Assert.True(await _worker.DrainAsync(regardless: false));
        Assert.Equal(Refusal.ShuttingDown, await DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(1, 1)));
        Assert.Equal(0, _worker.Statistics.AcceptedSpans);
    }

    [Fact]
    public async Task Drain_ExportersFull_SaysSoUntilItIsRegardless()
    {
        await DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(1, 1).Error().Span(2, 1).Error());
        _queue.HasRoom = false;
        Assert.False(await _worker.DrainAsync(regardless: false));
        Assert.Equal(0, _queue.Spans);
        Assert.True(await _worker.DrainAsync(regardless: true));
        Assert.Equal(2, _queue.Spans);
    }

    [Fact]
    public async Task Dispose_WhateverComesBehindIt_IsRefused()
    {
        await DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(1, 1));
        await _worker.DisposeAsync();
        Assert.Equal(0, _slabs.BytesInUse);
        Assert.Equal(0, _load.Bytes);
        _worker.Tick();
        Assert.Equal(Refusal.ShuttingDown, await DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(1, 1)));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _worker.AskAsync((_, _) => 1));
        Assert.Equal(0, _worker.Statistics.Failures);
    }

    [Fact]
    public async Task Tick_ScarceRoom_IsEveryShardsInTurn()
    {
        await OpenAnewAsync(new ShardRegionOptions { DecisionWait = TimeSpan.FromSeconds(1) });
        string filler = new('x', 300_000); // each trace fills a request
        for (ulong trace = 1; trace <= 40; trace++)
        {
            await DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(trace, 1).Error().With("filler", filler));
        }

        _time.Advance(TimeSpan.FromSeconds(2));
        for (int tick = 0; tick < 8; tick++)
        {
            _queue.RoomFor = 1;
            _worker.Tick();
            await _worker.AskAsync((_, _) => 1);
        }

        long[] decided = [.. await _worker.AskAsync((shards, _) => shards.Select(s => s.Decisions.Sum()).ToList())];
        Assert.Equal(8, decided.Sum());
        Assert.True(decided.Count(d => d > 0) >= 3, string.Join(' ', decided));
    }

    [Fact]
    public async Task Load_TracesThatCome_And_Go_ReturnsToNothing()
    {
        await DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(1, 1).Span(2, 1).Span(2, 2));
        Assert.Equal(2, _load.PendingTraces);
        Assert.True(_load.Bytes > SlabPool.SlabSize + 64 * 1024);
        await _worker.DrainAsync(regardless: true);
        await _worker.AskAsync((_, _) => 1);
        Assert.Equal(0, _load.PendingTraces);
        Assert.Equal(_slabs.BytesInUse, _load.Bytes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Deliver_WithoutMemory_IsRefusedAndOwesNothing(bool whole)
    {
        await OpenAnewAsync(new ShardRegionOptions { KeepWholeFrames = whole });
        Delivery delivery = new(new Ways(this), 0);
        _slabs.Limit = 0;
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Refusal.Memory, await DeliverAsync(delivery, new TraceBuilder().Span(1, 1)));
            Assert.Equal(0, await OwedAsync());
        }

        _slabs.Limit = long.MaxValue;
        Assert.Equal(Refusal.None, await DeliverAsync(delivery, new TraceBuilder().Span(1, 1)));
        Assert.Equal((0, 0), (await OwedAsync(), _worker.Statistics.Failures));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Receive_AFrameThatThereIsNoMemoryFor_RefusesItAndTakesTheNext(bool whole)
    {
        await OpenAnewAsync(new ShardRegionOptions { KeepWholeFrames = whole });
        TraceBuilder large = new TraceBuilder().Span(1, 1).With("filler", new string('x', 2 * SlabPool.SlabSize));
        _slabs.Limit = SlabPool.SlabSize;
        Receive(large, new TraceBuilder().Span(2, 1), large);
        Assert.Equal(0, await OwedAsync());

        // In a cluster the one that was taken is answered at the end of the turn.
        Assert.Equal([(1, Refusal.Memory), (2, Refusal.None), (3, Refusal.Memory)], _answers.Order());

        _slabs.Limit = long.MaxValue;
        _answers.Clear();
        Receive(large);
        Assert.Equal(0, await OwedAsync());
        Assert.Equal([(1, Refusal.None)], _answers);
        Assert.Equal(0, _worker.Statistics.Failures);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Deliver_ThatMeetsABug_FailsAndOwesNothing(bool whole)
    {
        await _worker.DisposeAsync();
        Open(new ShardRegionOptions { KeepWholeFrames = whole }, slabs: null);
        await Assert.ThrowsAsync<NullReferenceException>(() => DeliverAsync(new Delivery(new Ways(this), 0), new TraceBuilder().Span(1, 1)));
        Assert.Equal((0, 1), (await OwedAsync(), _worker.Statistics.Failures));

        // There is no refusal for it.
        Receive(new TraceBuilder().Span(2, 1), new TraceBuilder().Span(3, 1));
        Assert.Equal((0, 3), (await OwedAsync(), _worker.Statistics.Failures));
        Assert.Empty(_answers);
    }

    /// <summary>What is owed when everything that was posted is done, in the next turn at the latest.</summary>
    private async Task<int> OwedAsync()
    {
        await _worker.AskAsync((_, _) => 1);
        _worker.Tick();
        return await _worker.AskAsync((_, _) => _worker.OwedAnswers);
    }

    /// <summary>A packet of a peer with the one frame of each of these requests, numbered from 1.</summary>
    private void Receive(params TraceBuilder[] requests)
    {
        FrameBatch[] batches = [.. requests.Select(request => RequestFrames.Of(request.ToBytes(), 4))];
        ReceiveBlock block = new(new ReceiveWindow(int.MaxValue), batches.Sum(batch => PeerMessageHeader.Size + batch.Frame(0).Length));
        int length = 0;
        for (int i = 0; i < batches.Length; i++)
        {
            FrameBatch batch = batches[i];
            batch.SetTerm(0, ShardAllocation.Alone(Self, 4)[batch.Shard(0)].Term);
            length = PeerPacketWriter.Write(block.Bytes, length, PeerMessageKind.Deliver, batch.Shard(0), (ulong)i + 1, batch.Frame(0), []);
            batch.Dispose();
        }

        _worker.Post(Peer, new PeerPacket(block, 0, length));
    }

    private void Open(ShardRegionOptions options) => Open(options, _slabs);

    private void Open(ShardRegionOptions options, SlabPool? slabs)
    {
        PolicySet policies = PolicyCompiler.Parse(ShardHarness.Errors, new ConfigurationErrors())!;
        options = options with { ShardCount = 4 };
        _load = new RegionLoad(_slabs);
        ShardServices services = new(options, policies, new TokenBuckets(policies.Budgets), slabs!, _queue, new TraceIdHasher(1));
        ShardAllocation allocation = ShardAllocation.Alone(Self, 4);
        _worker = Assert.Single(ShardWorker.Open(Self, [services], _load, new Ways(this), new MonotonicClock(_time)));
        _worker.Apply(allocation);
        _worker.SetAuthority(long.MaxValue);
    }

    private async Task OpenAnewAsync(ShardRegionOptions options)
    {
        await _worker.DisposeAsync();
        Open(options);
    }

    private static async Task<Refusal> DeliverAsync(Delivery delivery, TraceBuilder request)
    {
        using FrameBatch batch = RequestFrames.Of(request.ToBytes(), 4);
        return await delivery.Begin(batch, ShardAllocation.Alone(Self, 4), 0, long.MaxValue);
    }

    private sealed class Ways(ShardWorkerTests test) : IDeliveryWays, IWorkerWays
    {
        public Refusal PeerAdmission => Refusal.None;

        public bool IsLocal(MemberId member) => true;

        public PeerSend SendToPeer(Delivery delivery, int frame, int attempt, MemberId owner) => PeerSend.NotConnected;

        public void CountForwarded(int frames, int again)
        {
        }

        public int WorkerOf(int shard) => 0;

        public void Post(Delivery delivery, int worker) => test._worker.Post(delivery);

        public void GiveBack(Delivery delivery)
        {
        }

        public void Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
        {
            Assert.Equal((Peer, PeerMessageKind.Delivered, 1), (to, kind, payload.Length));
            test._answers.Enqueue(((int)id, (Refusal)payload[0]));
        }

        public void ReportsChanged()
        {
        }
    }
}
