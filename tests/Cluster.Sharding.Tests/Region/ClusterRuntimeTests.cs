using System.Runtime.InteropServices;
using System.Text;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;
using Cluster.Sharding.Tests.Membership;
using Cluster.Sharding.Tests.Transport;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Tests.Region;

/// <summary>Goal: what the store, peers and shards say gets to where it belongs.</summary>
public sealed class ClusterRuntimeTests
{
    private static readonly MemberId Self = RuntimeHarness.Self;

    [Fact]
    public async Task SnapshotChanged_WithAPeer_ReachesShardsLinksAndLog()
    {
        await using RuntimeHarness node = new();
        Assert.Equal((0, 0), (node.Runtime.Snapshot.Allocation.Version, node.Runtime.Snapshot.Members.Count));
        Assert.Empty(node.Runtime.Links.Peers);

        ClusterSnapshot first = node.Snapshot(1, node.PeerId);
        await node.ConnectAsync(first);
        Assert.Same(first, node.Runtime.Snapshot);
        Assert.Same(first.Allocation, node.Region.Allocation);
        Assert.Equal((node.PeerId, true), (node.Runtime.Links.Peers.Single().Peer, node.Runtime.Links.Peers.Single().IsConnected));

        node.Observer.SnapshotChanged(node.Snapshot(2, Self) with { Members = [node.Snapshot(2, Self).Members[0]] });
        Assert.Equal(2, node.Region.Allocation.Version);
        Assert.Empty(node.Runtime.Links.Peers);
        Assert.Equal(["changed 0 to 1", "changed 1 to 2"], node.Log.Entries.Where(entry => entry.StartsWith("changed", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AuthorityChanged_IsTheShards()
    {
        await using RuntimeHarness node = new();
        node.Observer.SnapshotChanged(node.Snapshot(1, Self));
        Task<Refusal> waits = node.Deliver(trace: 1);
        await node.PassAsync(1000);
        Assert.False(waits.IsCompleted);

        // What was refused meanwhile comes again within a second.
        node.Observer.AuthorityChanged(5000);
        await node.PassAsync(1000);
        Assert.Equal(Refusal.None, await waits);
        Assert.Equal(Refusal.None, await node.Deliver(trace: 2));

        node.Observer.AuthorityChanged(0);
        Task<Refusal> late = node.Deliver(trace: 3);
        await node.PassAsync(500);
        Assert.False(late.IsCompleted);
    }

    [Fact]
    public async Task LeaseRemaining_IsWhatIsLeftOfAuthority()
    {
        await using RuntimeHarness node = new();
        Assert.Equal(TimeSpan.Zero, node.Runtime.LeaseRemaining);
        node.Observer.AuthorityChanged(9000);
        node.Time.Advance(TimeSpan.FromMilliseconds(2500));
        Assert.Equal(TimeSpan.FromMilliseconds(6500), node.Runtime.LeaseRemaining);
        node.Time.Advance(TimeSpan.FromMilliseconds(7000));
        Assert.Equal(TimeSpan.Zero, node.Runtime.LeaseRemaining);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Joined_WithAuthorityAndAnAllocation_WhicheverIsFirst(bool authorityIsFirst)
    {
        await using RuntimeHarness node = new();
        node.Observer.SnapshotChanged(node.Snapshot(0, default));
        node.Observer.AuthorityChanged(0);
        Assert.False(node.Runtime.Joined.IsCompleted);
        for (int i = 0; i < 2; i++)
        {
            Assert.False(node.Runtime.Joined.IsCompleted);
            if (authorityIsFirst == (i == 0))
            {
                node.Observer.AuthorityChanged(9000);
            }
            else
            {
                node.Observer.SnapshotChanged(node.Snapshot(1, node.PeerId));
            }
        }

        Assert.True(node.Runtime.Joined.IsCompletedSuccessfully);

        // Once is enough.
        node.Observer.AuthorityChanged(0);
        node.Observer.AuthorityChanged(9000);
        Assert.True(node.Runtime.Joined.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Rejected_SaysWhy()
    {
        await using RuntimeHarness node = new();
        Assert.False(node.Runtime.Rejected.IsCompleted);
        node.Observer.Rejected("the name 'a' is taken");
        node.Observer.Rejected("another one");
        Assert.Equal("the name 'a' is taken", await node.Runtime.Rejected);
        Assert.False(node.Runtime.Joined.IsCompleted);
    }

    [Fact]
    public async Task LeaseLost_IsLoggedWhenTheNodeIsFenced_NotForEveryEndOfAuthority()
    {
        await using RuntimeHarness node = new();
        node.Observer.AuthorityChanged(5000);
        node.Observer.AuthorityChanged(0);
        Assert.Empty(node.Log.Entries);
        node.Observer.Fenced();
        Assert.Equal(["lease lost"], node.Log.Entries);
        node.Observer.Unfenced(TimeSpan.FromSeconds(12.5));
        Assert.Equal(["lease lost", "lease regained after 12.5 s"], node.Log.Entries);
    }

    [Fact]
    public async Task WhatHappens_IsLogged()
    {
        await using RuntimeHarness node = new();
        node.Observer.StoreFailed("away");
        node.Observer.StoreAnswers();
        node.Handler.OnConnected(node.PeerId, PeerDirection.Incoming);
        node.Handler.OnDisconnected(node.PeerId, PeerDirection.Incoming, "cut");
        node.Handler.OnProblem("10.0.0.1", "a stranger");
        Assert.Equal(
            ["store failed: away", "store answers", "connected b Incoming", "disconnected b Incoming: cut", "problem 10.0.0.1: a stranger"],
            node.Log.Entries);
        InvalidOperationException bug = new();
        node.Observer.Faulted(bug);
        Assert.True(node.Log.Faults.TryDequeue(out Exception? fault) && fault == bug);
    }

    [Fact]
    public async Task Send_BeforeThereAreLinks_IsNotConnected()
    {
        await using RuntimeHarness node = new(binds: false);
        Assert.Equal(PeerSend.NotConnected, node.Runtime.Send(node.PeerId, PeerMessageKind.Deliver, 1, 1, [], []));
        Assert.Empty(node.Runtime.Links.Peers);
        Assert.Equal(0, node.Runtime.EmptiedShards);
        Assert.Null(await node.Runtime.AskAsync(node.PeerId, "?", default));
        Assert.Equal("a answers ?", await node.Runtime.AskAsync(Self, "?", default));
    }

    [Fact]
    public async Task Frames_OfAPeersShards_GoThereAndAreAnswered()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, node.PeerId));
        foreach (Refusal answer in new[] { Refusal.None, Refusal.Memory })
        {
            Task<Refusal> delivery = node.Deliver();
            Received frame = await node.Peer.ReceiveAsync();
            Assert.Equal((Self, PeerMessageKind.Deliver), (frame.From, frame.Kind));
            Assert.False(delivery.IsCompleted);
            node.Say((PeerMessageKind.Delivered, 0, frame.Id, [(byte)answer]));
            Assert.Equal(answer, await delivery);
        }
    }

    [Fact]
    public async Task Frames_WhoseConnectionWasLost_AreSentAgain()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, node.PeerId));
        Task<Refusal> delivery = node.Deliver();
        Received first = Assert.Single(await node.SentAsync());
        node.Handler.OnDisconnected(node.PeerId, PeerDirection.Outgoing, "cut");
        Assert.Contains("disconnected b Outgoing: cut", node.Log.Entries);
        await node.PassAsync(100);
        Received second = Assert.Single(await node.SentAsync());
        Assert.Equal(first.Payload, second.Payload);
        Assert.NotEqual(first.Id, second.Id);
        node.Say((PeerMessageKind.Delivered, 0, second.Id, [(byte)Refusal.None]));
        Assert.Equal(Refusal.None, await delivery);
    }

    [Fact]
    public async Task OnPacket_FramesForShardsHere_AreAnswered()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, node.PeerId));
        _ = node.Deliver();
        Received frame = await node.Peer.ReceiveAsync();

        // The same frame, as if b had it to deliver.
        node.Say((PeerMessageKind.Deliver, frame.Shard, 77, frame.Payload));
        Received refused = await node.Peer.ReceiveAsync();
        Assert.Equal((PeerMessageKind.Delivered, 77ul), (refused.Kind, refused.Id));
        Assert.Equal([(byte)Refusal.NotOwner], refused.Payload);

        node.Observer.AuthorityChanged(9000);
        node.Observer.SnapshotChanged(node.Snapshot(2, Self));
        node.Say((PeerMessageKind.Deliver, frame.Shard, 78, frame.Payload));
        Received taken = await node.Peer.ReceiveAsync();
        Assert.Equal((PeerMessageKind.Delivered, 78ul), (taken.Kind, taken.Id));
        Assert.Equal([(byte)Refusal.None], taken.Payload);
    }

    [Fact]
    public async Task OnPacket_OfAllKinds_GivesEachMessageToWhomItIsFor()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, node.PeerId, coordinator: node.PeerId));
        Task<string?> answer = node.Runtime.AskAsync(node.PeerId, "/x", default);
        Received question = await node.Peer.ReceiveAsync();
        Task<Refusal> delivery = node.Deliver();
        Received frame = await node.Peer.ReceiveAsync();
        Received demand = await DemandAsync(node);
        Assert.Equal([PeerMessageKind.Ask, PeerMessageKind.Deliver, PeerMessageKind.BudgetDemand], [question.Kind, frame.Kind, demand.Kind]);

        node.Say(
            (PeerMessageKind.Answer, 0, question.Id, "{}"u8.ToArray()),
            (PeerMessageKind.BudgetGrant, 0, demand.Id, Grant(node, 5)),
            (PeerMessageKind.Delivered, 0, frame.Id, [(byte)Refusal.None]),
            (PeerMessageKind.Ask, 0, 9, "/y"u8.ToArray()));

        Assert.Equal("{}", await answer);
        Assert.True(node.Budgets.CanTake(0, 5, node.Now));
        Assert.False(node.Budgets.CanTake(0, 6, node.Now));
        Assert.Equal(Refusal.None, await delivery);
        Received answered = await node.Peer.ReceiveAsync();
        Assert.Equal((PeerMessageKind.Answer, 9ul, "a answers /y"), (answered.Kind, answered.Id, Encoding.UTF8.GetString(answered.Payload)));
    }

    [Fact]
    public async Task AskAsync_APeer_AsksThere()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, node.PeerId));
        Task<string?> answer = node.Runtime.AskAsync(node.PeerId, "/api/shards", default);
        Received question = await node.Peer.ReceiveAsync();
        Assert.Equal((PeerMessageKind.Ask, "/api/shards"), (question.Kind, Encoding.UTF8.GetString(question.Payload)));
        node.Say((PeerMessageKind.Answer, 0, question.Id, "[1]"u8.ToArray()));
        Assert.Equal("[1]", await answer);

        Assert.Null(await node.Runtime.AskAsync(new MemberId("nobody", 1), "?", default));
        Task<string?> late = node.Runtime.AskAsync(node.PeerId, "?", default);
        await node.PassAsync(2000);
        Assert.Null(await late);
    }

    [Fact]
    public async Task Budgets_OfAPeerThatIsTheCoordinator_AreAskedForThere()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, node.PeerId));
        node.Budgets.TryTake(0, 1, node.Now);
        await node.PassAsync(1000);
        Assert.Empty(await node.SentAsync());

        // Asked as soon as there is one to be asked, then not again until an answer is overdue ...
        node.Observer.SnapshotChanged(node.Snapshot(2, node.PeerId, coordinator: node.PeerId));
        await node.PassAsync(10);
        Received demand = Assert.Single(await node.SentAsync());
        Assert.Equal((PeerMessageKind.BudgetDemand, 1ul, node.Key), (demand.Kind, demand.Id, MemoryMarshal.Read<BudgetDemand>(demand.Payload).Key));
        node.Budgets.TryTake(0, 1, node.Now);
        node.Observer.SnapshotChanged(node.Snapshot(3, node.PeerId, coordinator: node.PeerId));
        await node.PassAsync(100);
        Assert.Empty(await node.SentAsync());

        // ... or the members have changed.
        node.Observer.SnapshotChanged(node.Snapshot(3, node.PeerId, node.PeerId, new Member(new MemberId("c", 1), "127.0.0.1:1")));
        await node.PassAsync(10);
        Assert.Equal(2ul, Assert.Single(await node.SentAsync()).Id);
    }

    [Fact]
    public async Task Budgets_OfThisNodeAsCoordinator_AreGrantedToItself()
    {
        await using RuntimeHarness node = new();
        node.Observer.AuthorityChanged(60_000);
        node.Observer.SnapshotChanged(node.Snapshot(1, Self, coordinator: Self));

        // A new coordinator grants nothing until the leases of the one before are over, and begins with nothing.
        await node.PassAsync(3000);
        Assert.False(node.Budgets.TryTake(0, 5, node.Now));
        Assert.True(node.Budgets.AskAgainIn(0, 5, node.Now) > 0);
        await node.PassAsync(10);
        await RuntimeHarness.UntilAsync(() => node.Budgets.CanTake(0, 5, node.Now));
        Assert.True(node.Budgets.TryTake(0, 5, node.Now));
        Assert.False(node.Budgets.TryTake(0, 5, node.Now));
    }

    [Fact]
    public async Task Budgets_OfThisNodeAsCoordinator_AreGrantedToPeersUntilItLeaves()
    {
        await using RuntimeHarness node = new();
        node.Observer.AuthorityChanged(60_000);
        await node.ConnectAsync(node.Snapshot(1, Self, coordinator: Self));
        ulong id = 0;
        Assert.Null(await AskForAsync(5));
        await node.PassAsync(3000);
        Assert.Equal(5, await AskForAsync(5));

        node.Observer.SnapshotChanged(node.Snapshot(2, Self, coordinator: node.PeerId));
        Assert.Null(await AskForAsync(5));
        node.Observer.SnapshotChanged(node.Snapshot(3, Self, coordinator: Self));
        Assert.Null(await AskForAsync(5));
        await node.PassAsync(3000);
        Assert.Equal(5, await AskForAsync(5));

        await node.Runtime.LeaveAsync(default);
        Assert.Null(await AskForAsync(5));

        async Task<long?> AskForAsync(long units)
        {
            BudgetDemand demand = new() { Key = node.Key, Wanted = units };
            node.Say((PeerMessageKind.BudgetDemand, 0, ++id, MemoryMarshal.AsBytes([demand]).ToArray()));
            List<Received> sent = await node.SentAsync();
            Assert.All(sent, message => Assert.Equal((PeerMessageKind.BudgetGrant, id), (message.Kind, message.Id)));
            return sent.Count == 0 ? null : MemoryMarshal.Read<BudgetGrant>(Assert.Single(sent).Payload).Lease;
        }
    }

    [Fact]
    public async Task Budgets_OfThisNodeAsCoordinator_EndWithItsAuthority()
    {
        await using RuntimeHarness node = new();
        await node.ConnectAsync(node.Snapshot(1, Self, coordinator: Self));
        byte[] demand = MemoryMarshal.AsBytes([new BudgetDemand { Key = node.Key, Wanted = 5 }]).ToArray();
        node.Observer.AuthorityChanged(60_000);
        await node.PassAsync(3000);
        node.Observer.AuthorityChanged(0);
        node.Say((PeerMessageKind.BudgetDemand, 0, 1, demand));
        Assert.Empty(await node.SentAsync());

        // It was away: somebody else may have been the coordinator, and may have granted.
        node.Observer.AuthorityChanged(60_000);
        node.Say((PeerMessageKind.BudgetDemand, 0, 2, demand));
        Assert.Empty(await node.SentAsync());
        await node.PassAsync(3000);
        node.Say((PeerMessageKind.BudgetDemand, 0, 3, demand));
        Assert.Equal(3ul, Assert.Single(await node.SentAsync()).Id);
    }

    [Fact]
    public async Task WithAControl_JoinsDrainsAndLeaves()
    {
        await using RuntimeHarness node = new();
        await using InMemoryClusterStore store = new(node.Time);
        await using ClusterControl control = Follow(node, store);
        await UntilAsync(node, control, () => node.Runtime.Joined.IsCompleted);
        Assert.Equal((Self, Self), (node.Region.Allocation[0].Primary, node.Runtime.Snapshot.Coordinator));
        Assert.True(node.Runtime.LeaseRemaining > TimeSpan.Zero);
        Assert.Equal(Refusal.None, await node.Deliver());
        Assert.Equal(0, node.Runtime.EmptiedShards);

        // Nobody else is there: nothing to wait for.
        Task drained = node.Runtime.DrainAsync(default);
        await UntilAsync(node, control, () => drained.IsCompleted);
        Task left = node.Runtime.LeaveAsync(default);
        await UntilAsync(node, control, () => left.IsCompleted);
        await left;
        Assert.Equal(TimeSpan.Zero, node.Runtime.LeaseRemaining);
        Assert.Empty((await store.ListAsync(StoreKeys.Member(""), default)).Entries);
    }

    [Fact]
    public async Task WithAControl_WhatPrimariesSayOfTheirCopies_GetsToTheCoordinator()
    {
        await using RuntimeHarness node = new();
        await using InMemoryClusterStore store = new(node.Time);
        await using ClusterControl control = Follow(node, store);
        await UntilAsync(node, control, () => node.Runtime.Joined.IsCompleted);

        // b is a member, and says nothing of what it is to copy: it is suspect, and its copies are taken off.
        await using ClusterControl other = new(store, Options, node.Peer.Member, new RecordingObserver(), node.Time, start: 0);
        await UntilAsync(node, control, () => HasCopy(node.Runtime.Snapshot));
        await UntilAsync(node, control, () => !HasCopy(node.Runtime.Snapshot));
        Assert.NotNull(node.Runtime.Snapshot.Find(node.PeerId));

        bool HasCopy(ClusterSnapshot snapshot) =>
            Enumerable.Range(0, RuntimeHarness.Shards).Any(i => snapshot.Allocation[i].CopyOn(node.PeerId) is not null);
    }

    [Fact]
    public async Task DrainAndLeave_WithoutAControl_AreOverAtOnce()
    {
        await using RuntimeHarness node = new();
        Assert.True(node.Runtime.DrainAsync(default).IsCompletedSuccessfully);
        Assert.True(node.Runtime.LeaveAsync(default).IsCompletedSuccessfully);
    }

    private static ClusterControlOptions Options { get; } = new() { ShardCount = RuntimeHarness.Shards };

    private static ClusterControl Follow(RuntimeHarness node, InMemoryClusterStore store)
    {
        ClusterControl control = new(store, Options, new Member(Self, node.Links.EndPoint.ToString()), node.Runtime, node.Time, start: 0);
        node.Runtime.Follow(control);
        return control;
    }

    /// <summary>Moves the clock until something is so.</summary>
    private static async Task UntilAsync(RuntimeHarness node, ClusterControl control, Func<bool> condition)
    {
        for (int i = 0; !condition(); i++)
        {
            Assert.True(i < 5000, "not within 250 s");
            await node.PassAsync(50);
            await control.FlushAsync();
            await control.FlushAsync();
        }
    }

    private static async Task<Received> DemandAsync(RuntimeHarness node)
    {
        node.Budgets.TryTake(0, 5, node.Now);
        node.Time.Advance(TimeSpan.FromMilliseconds(10));
        return await node.Peer.ReceiveAsync();
    }

    private static byte[] Grant(RuntimeHarness node, long units) =>
        MemoryMarshal.AsBytes([new BudgetGrant { Key = node.Key, Lease = units, Left = 0 }]).ToArray();
}
