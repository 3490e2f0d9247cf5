using System.Collections.Concurrent;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Region;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Region;

/// <summary>Goal: a request is answered before its client gives up, and the answer says whether its spans may have arrived.</summary>
public sealed class DeliveryTimeoutTests : IAsyncDisposable
{
    private const int Shards = 16;

    private static readonly MemberId Self = new("self", 1);
    private static readonly MemberId Peer = new("peer", 1);

    private readonly ManualTimeProvider _time = new();
    private readonly PeersFake _peers = new();
    private readonly QueueFake _queue = new();
    private ShardRegion? _region;

    private long Now => (long)_time.GetElapsedTime(0).TotalMilliseconds;

    public async ValueTask DisposeAsync()
    {
        if (_region is { } region)
        {
            Assert.Equal(0, region.BytesUnderWay);
            await region.DisposeAsync();
        }
    }

    [Fact]
    public async Task Deliver_OwnerThatNeverAnswers_EndsAfterTheTimeout()
    {
        Open(Peer);
        Task<Refusal> delivery = Deliver();
        await PassAsync(7950);
        Assert.False(delivery.IsCompleted);
        await PassAsync(50);
        Assert.Equal(Refusal.DeadlineExceeded, await delivery);

        // What may still be with the owner was sent once only: the link is there, and it keeps the order.
        Assert.Single(_peers.Sent);
    }

    [Fact]
    public async Task Deliver_OwnerThatCannotBeReached_IsTriedUntilTheTimeout()
    {
        Open(Peer);
        _peers.Answer = PeerSend.NotConnected;
        Task<Refusal> delivery = Deliver();
        await PassAsync(7950);
        Assert.False(delivery.IsCompleted);
        await PassAsync(50);
        Assert.Equal(Refusal.OwnerUnreachable, await delivery);

        // Waits of 50, 100, ... up to 1,000 ms.
        Assert.Equal([0, 50, 150, 350, 750, 1550, 2550, 3550, 4550, 5550, 6550, 7550], _peers.Sent.Select(sent => sent.At));
    }

    [Fact]
    public async Task Deliver_ShardThatNobodyOwns_EndsAfterTheTimeout()
    {
        Open(default);
        Task<Refusal> delivery = Deliver();
        await PassAsync(7950);
        Assert.False(delivery.IsCompleted);
        await PassAsync(50);
        Assert.Equal(Refusal.OwnerUnreachable, await delivery);
        Assert.Empty(_peers.Sent);
    }

    [Fact]
    public async Task Deliver_OwnerThatWasReachedOnce_MayHaveIt()
    {
        Open(Peer);
        Task<Refusal> delivery = Deliver();
        _peers.Answer = PeerSend.NotConnected;
        _region!.ConnectionChanged(Peer, connected: false);
        await PassAsync(8000);
        Assert.Equal(Refusal.DeadlineExceeded, await delivery);
    }

    [Fact]
    public async Task Deliver_OwnerThatIsReachedInTime_IsTaken()
    {
        Open(Peer);
        _peers.Answer = PeerSend.NotConnected;
        Task<Refusal> delivery = Deliver();
        await PassAsync(7000);
        _peers.Answer = PeerSend.Queued;
        await PassAsync(950);
        Answer(_peers.Sent.Last().Id, Refusal.None);
        Assert.Equal(Refusal.None, await delivery);
    }

    [Fact]
    public async Task Deliver_ShardThatHasAnOwnerInTime_IsTaken()
    {
        Open(default);
        Task<Refusal> delivery = Deliver();
        await PassAsync(7900);
        _region!.Apply(Allocation(2, Peer));
        Answer(Assert.Single(_peers.Sent).Id, Refusal.None);
        Assert.Equal(Refusal.None, await delivery);
    }

    [Fact]
    public async Task Deliver_ShardsOfThisNodeWithoutItsLease_EndsAfterTheTimeout()
    {
        Open(Self);
        Task<Refusal> delivery = Deliver();
        for (int i = 0; i < 159; i++)
        {
            await PassAsync(50);
        }

        Assert.False(delivery.IsCompleted);
        await PassAsync(50);
        Assert.Equal(Refusal.DeadlineExceeded, await delivery);
    }

    /// <summary>One frame taken, one without an answer: the client has to send both again.</summary>
    [Fact]
    public async Task Deliver_OneOwnerOfTwoThatNeverAnswers_EndsTheWhole()
    {
        Open(Peer);
        Task<Refusal> delivery = Deliver(1, 2, 3, 4, 5);
        Assert.InRange(_peers.Sent.Count, 2, 5);
        Answer(_peers.Sent.First().Id, Refusal.None);
        await PassAsync(8000);
        Assert.Equal(Refusal.DeadlineExceeded, await delivery);
    }

    [Fact]
    public async Task Deliver_AnswerAfterTheTimeout_IsNotTakenForThatOfTheNextRequest()
    {
        Open(Peer);
        Task<Refusal> first = Deliver();
        await PassAsync(8000);
        Assert.Equal(Refusal.DeadlineExceeded, await first);
        Task<Refusal> second = Deliver();
        Answer(_peers.Sent.First().Id, Refusal.None);
        Assert.False(second.IsCompleted);
        Answer(_peers.Sent.Last().Id, Refusal.None);
        Assert.Equal(Refusal.None, await second);
    }

    [Fact]
    public async Task Deliver_AnotherTimeout_IsKept()
    {
        Open(Peer, new ShardRegionOptions { DeliveryTimeout = TimeSpan.FromSeconds(2) });
        await PassAsync(12_340);
        Task<Refusal> delivery = Deliver();
        await PassAsync(1990);
        Assert.False(delivery.IsCompleted);

        // Looked at every 50 ms.
        await PassAsync(50);
        Assert.Equal(Refusal.DeadlineExceeded, await delivery);
    }

    private static ShardAllocation Allocation(long version, MemberId owner) =>
        new(version, Enumerable.Repeat(new ShardAssignment(owner, 1, []), Shards));

    private void Open(MemberId owner, ShardRegionOptions? options = null)
    {
        PolicySet policies = PolicyCompiler.Parse(ShardHarness.Errors, new ConfigurationErrors())!;
        _region = new ShardRegion(
            Self,
            (options ?? new()) with { ShardCount = Shards, Workers = 2, KeepWholeFrames = true },
            policies,
            new TokenBuckets(policies.Budgets),
            Allocation(1, owner),
            _queue,
            new MonotonicClock(_time),
            new TraceIdHasher(7),
            _peers);
        _peers.Now = () => Now;
    }

    private Task<Refusal> Deliver(params ulong[] traces)
    {
        TraceBuilder request = new();
        foreach (ulong trace in traces.DefaultIfEmpty(1ul))
        {
            request.Span(trace, 1);
        }

        return _region!.DeliverAsync(RequestFrames.Of(request.ToBytes(), Shards)).AsTask();
    }

    /// <summary>The peer answers a frame.</summary>
    private void Answer(ulong id, Refusal refusal)
    {
        ReceiveBlock block = new(new ReceiveWindow(int.MaxValue), 100);
        int length = PeerPacketWriter.Write(block.Bytes, 0, PeerMessageKind.Delivered, 0, id, [(byte)refusal], []);
        Assert.True(_region!.Receive(Peer, new PeerPacket(block, 0, length)));
        block.Release();
    }

    /// <summary>Lets time pass, and comes back when every worker loop has seen it.</summary>
    private async Task PassAsync(long milliseconds)
    {
        _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        await new ShardInspection(_region!).GetShardsAsync(default);
    }

    /// <summary>Links that a test makes work or not.</summary>
    private sealed class PeersFake : IPeerSender
    {
        public PeerSend Answer { get; set; } = PeerSend.Queued;

        public Func<long> Now { get; set; } = () => 0;

        public ConcurrentQueue<(long At, ulong Id)> Sent { get; } = [];

        public PeerSend Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
        {
            Assert.Equal((Peer, PeerMessageKind.Deliver), (to, kind));
            Sent.Enqueue((Now(), id));
            return Answer;
        }
    }
}
