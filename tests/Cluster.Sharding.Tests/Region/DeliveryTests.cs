using System.Collections.Concurrent;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Region;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Region;

public sealed class DeliveryTests : IDisposable
{
    private static readonly MemberId Self = new("self", 1);
    private static readonly MemberId Other = new("other", 2);

    private readonly FrameBatch _batch = RequestFrames.Of(
        new TraceBuilder().Span(1, 1).Span(2, 1).Span(3, 1).Span(4, 1).Span(5, 1).Span(6, 1).ToBytes(), 4);

    public void Dispose() => _batch.Dispose();

    [Fact]
    public async Task Begin_AllLocal_AcknowledgesWhenEveryFrameIsTakenAndNobodyReads()
    {
        Ways ways = new();
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Self, 4), 0, 1000);
        Assert.Equal([0, 1], ways.Posted.Order());
        for (int frame = 0; frame < _batch.Count; frame++)
        {
            Assert.Equal(1, delivery.TakeLocal(frame));
            Assert.Equal(0, delivery.TakeLocal(frame));
            delivery.Answered(delivery.Generation, frame, 1, Refusal.None, 1);
        }

        delivery.ReaderEnds(null);
        Assert.False(acknowledgement.IsCompleted);
        delivery.ReaderEnds(null);
        Assert.Equal(Refusal.None, await acknowledgement);
        Assert.Same(delivery, Assert.Single(ways.GivenBack));
    }

    [Fact]
    public async Task Answered_ToAnEarlierUse_IsIgnored()
    {
        Ways ways = new();
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> first = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        ushort earlier = delivery.Generation;
        delivery.Advance(1000);
        Assert.Equal(Refusal.DeadlineExceeded, await first);

        ValueTask<Refusal> second = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 2000, 3000);
        Answer(delivery, earlier, attempt: 1, Refusal.None);
        Assert.False(second.IsCompleted);
        Answer(delivery, delivery.Generation, attempt: 1, Refusal.None);
        Assert.Equal(Refusal.None, await second);
    }

    [Fact]
    public async Task Begin_NoLinkTakesIt_IsSentAgainAfterAWhile()
    {
        Ways ways = new() { Connected = false };
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        ways.Connected = true;
        delivery.Advance(49);
        Assert.Empty(ways.Sent);
        delivery.Advance(50);
        Assert.Equal(_batch.Count, ways.Sent.Count);
        Answer(delivery, delivery.Generation, attempt: 2, Refusal.None);
        Assert.Equal(Refusal.None, await acknowledgement);
    }

    [Fact]
    public async Task Begin_PeerTakesNoFrameSoLarge_FailsAndIsNotSentAgain()
    {
        Ways ways = new() { Connected = false, Problem = PeerSend.TooLarge };
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        int length = _batch.Frame(0).Length;

        InvalidOperationException failure = await Assert.ThrowsAsync<InvalidOperationException>(async () => await acknowledgement);

        Assert.Equal($"{Other} takes no frame of {length} bytes.", failure.Message);
        Assert.Same(delivery, Assert.Single(ways.GivenBack));
        Assert.Empty(ways.Sent);
    }

    [Fact]
    public async Task Send_ToPeers_IsCountedOnceForAllThatGoTogether()
    {
        Ways ways = new();
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        Assert.Equal([(_batch.Count, 0)], ways.Forwarded);
        delivery.Answered(delivery.Generation, 0, 1, Refusal.None, 10);
        delivery.Answered(delivery.Generation, 1, 1, Refusal.NotOwner, 10);
        delivery.Answered(delivery.Generation, 2, 1, Refusal.NotOwner, 10);
        Assert.Single(ways.Forwarded);

        delivery.Advance(60);
        Assert.Equal((2, 2), ways.Forwarded[^1]);
        delivery.Lost(Other, 60);
        delivery.Advance(1000);
        Assert.Equal((_batch.Count - 1, _batch.Count - 1), ways.Forwarded[^1]);
        Assert.Equal(Refusal.DeadlineExceeded, await acknowledgement);
    }

    [Fact]
    public async Task Send_NoLinkTakesIt_IsCountedWhenOneDoes()
    {
        Ways ways = new() { Connected = false };
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        Assert.Empty(ways.Forwarded);
        ways.Connected = true;
        delivery.Advance(50);
        Assert.Equal([(_batch.Count, _batch.Count)], ways.Forwarded);
        Answer(delivery, delivery.Generation, attempt: 2, Refusal.None);
        Assert.Equal(Refusal.None, await acknowledgement);
    }

    [Fact]
    public async Task Send_AllLocal_IsNotCounted()
    {
        Ways ways = new();
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Self, 4), 0, 1000);
        delivery.Refuse(Refusal.ShuttingDown);
        delivery.ReaderEnds(null);
        delivery.ReaderEnds(null);
        Assert.Equal(Refusal.ShuttingDown, await acknowledgement);
        Assert.Empty(ways.Forwarded);
    }

    [Fact]
    public async Task Refuse_WhileFramesAreElsewhere_EndsItWhenNobodyReads()
    {
        Ways ways = new();
        Delivery delivery = new(ways, 0);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Self, 4), 0, 1000);
        delivery.Refuse(Refusal.ShuttingDown);
        delivery.ReaderEnds(null);
        Assert.False(acknowledgement.IsCompleted);
        delivery.ReaderEnds(null);
        Assert.Equal(Refusal.ShuttingDown, await acknowledgement);
    }

    [Fact]
    public async Task ReaderEnds_WithAFailure_ReachesWhoeverAwaits_AndTheDeliveryIsUsedAgain()
    {
        Ways ways = new();
        Delivery delivery = new(ways, 0);
        Task<Refusal> failed = delivery.Begin(_batch, ShardAllocation.Alone(Self, 4), 0, 1000).AsTask();
        delivery.ReaderEnds(new InvalidOperationException("broken"));
        delivery.ReaderEnds(null);
        Assert.Equal("broken", (await Assert.ThrowsAsync<InvalidOperationException>(() => failed)).Message);

        ValueTask<Refusal> taken = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        Answer(delivery, delivery.Generation, attempt: 1, Refusal.None);
        Assert.Equal(Refusal.None, await taken);
    }

    [Theory]
    [InlineData(11)]
    [InlineData(200)]
    [InlineData(255)]
    [InlineData]
    [InlineData(0, 0)]
    public async Task Answered_ByAPeerWithoutMeaning_IsNoAnswer(params int[] payload)
    {
        DeliveryTable table = new(new Ways());
        Delivery delivery = table.Take();
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, 1000);
        Answer([.. payload.Select(b => (byte)b)]);
        Assert.False(acknowledgement.IsCompleted);
        Answer([(byte)Refusal.OwnerUnreachable]);
        delivery.Advance(50);
        Assert.False(acknowledgement.IsCompleted);
        Answer([(byte)Refusal.None]);
        Assert.Equal(Refusal.None, await acknowledgement);

        void Answer(byte[] bytes)
        {
            for (int frame = 0; frame < _batch.Count; frame++)
            {
                table.Answered(DeliveryTable.IdOf(delivery, frame, 1), bytes, 0);
            }
        }
    }

    [Fact]
    public async Task Begin_UsedAgainByManyThreads_NeverMixesAcknowledgements()
    {
        Ways ways = new();
        DeliveryTable table = new(ways);
        ways.Table = table;
        await Parallel.ForEachAsync(Enumerable.Range(0, 5_000), async (i, _) =>
        {
            Delivery delivery = table.Take();
            Refusal expected = i % 2 == 0 ? Refusal.None : Refusal.Memory;
            ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, ShardAllocation.Alone(Other, 4), 0, long.MaxValue);
            ThreadPool.UnsafeQueueUserWorkItem(
                d =>
                {
                    for (int frame = 0; frame < _batch.Count; frame++)
                    {
                        table.Answered(DeliveryTable.IdOf(d.delivery, frame, 1), [(byte)(frame == 0 ? d.expected : Refusal.None)], 0);
                    }
                },
                (delivery, expected),
                preferLocal: false);
            Assert.Equal(expected, await acknowledgement);
        });
    }

    private void Answer(Delivery delivery, ushort generation, int attempt, Refusal refusal)
    {
        for (int frame = 0; frame < _batch.Count; frame++)
        {
            delivery.Answered(generation, frame, attempt, refusal, 0);
        }
    }

    private sealed class Ways : IDeliveryWays
    {
        private readonly ConcurrentQueue<(int Frames, int Again)> _forwarded = [];

        public bool Connected { get; set; } = true;

        /// <summary>Why no link takes anything, while not connected.</summary>
        public PeerSend Problem { get; init; } = PeerSend.NotConnected;

        public DeliveryTable? Table { get; set; }

        public ConcurrentBag<int> Posted { get; } = [];

        public ConcurrentBag<int> Sent { get; } = [];

        public ConcurrentBag<Delivery> GivenBack { get; } = [];

        /// <summary>What was counted, in order.</summary>
        public IReadOnlyList<(int Frames, int Again)> Forwarded => [.. _forwarded];

        public bool IsLocal(MemberId member) => member == Self;

        public PeerSend SendToPeer(Delivery delivery, int frame, int attempt, MemberId owner)
        {
            if (Connected)
            {
                Sent.Add(frame);
            }

            return Connected ? PeerSend.Queued : Problem;
        }

        public void CountForwarded(int frames, int again) => _forwarded.Enqueue((frames, again));

        public int WorkerOf(int shard) => shard % 2;

        public void Post(Delivery delivery, int worker) => Posted.Add(worker);

        public void GiveBack(Delivery delivery)
        {
            GivenBack.Add(delivery);
            Table?.GiveBack(delivery);
        }
    }
}
