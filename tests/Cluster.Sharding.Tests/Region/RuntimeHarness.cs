using System.Collections.Concurrent;
using System.Net;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Tests.Transport;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Region;

/// <summary>
/// The runtime of node "a" with real shards and links, and a peer "b" of links alone. What b is sent is read from loopback; what it says is
/// handed in as packets. Time, of both, is the test's.
/// </summary>
internal sealed class RuntimeHarness : IAsyncDisposable
{
    public const int Shards = 16;

    /// <summary>Far longer than anything here takes: only a failing test waits so long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ReceiveWindow _window = new(int.MaxValue);

    public RuntimeHarness(bool binds = true)
    {
        ConfigurationErrors errors = new();
        PolicySet policies = PolicyCompiler.Parse(
            "policies: [{ name: limit, type: rate_limiting, rate_limiting: { spans_per_second: 10 } }]", errors)!;
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        MonotonicClock clock = new(Time);
        Budgets = new LeasedBudgets(policies.Budgets);
        Key = BudgetKeys.Of(policies.Budgets)[0];
        Runtime = new ClusterRuntime(Self, Shards, Budgets, policies, clock, Answer, Log);
        PeerLinkOptions options = Quiet(new() { Self = Self, Cluster = "test", ShardCount = Shards, Listen = new IPEndPoint(IPAddress.Loopback, 0) });
        Links = new PeerLinks(options, Runtime, Time, new Random(1));
        Peer = new TestNode("b", Quiet, Time);
        Region = new ShardRegion(
            Self,
            new ShardRegionOptions { ShardCount = Shards, Workers = 2, KeepWholeFrames = true },
            policies,
            Budgets,
            ShardAllocation.Unowned(Shards),
            Queue,
            clock,
            new TraceIdHasher(7),
            Runtime,
            Runtime.ReportsChanged);
        if (binds)
        {
            Runtime.Bind(Region, Links, new PeerQuestions(Links, Runtime, Time));
        }
    }

    public static MemberId Self { get; } = new("a", 1);

    public ManualTimeProvider Time { get; } = new();

    public ClusterLogFake Log { get; } = new();

    public QueueFake Queue { get; } = new();

    public LeasedBudgets Budgets { get; }

    /// <summary>Names the one budget, of 10 a second, on the wire.</summary>
    public ulong Key { get; }

    public ClusterRuntime Runtime { get; }

    public ShardRegion Region { get; }

    public PeerLinks Links { get; }

    public TestNode Peer { get; }

    public MemberId PeerId => Peer.Id;

    public IClusterControlObserver Observer => Runtime;

    public IPeerHandler Handler => Runtime;

    public long Now => (long)Time.GetElapsedTime(0).TotalMilliseconds;

    /// <summary>A snapshot of the members a and b, all shards of one of them.</summary>
    public ClusterSnapshot Snapshot(long version, MemberId owner, MemberId coordinator = default, params Member[] others) => new(
        Self,
        [new Member(Self, Links.EndPoint.ToString()), Peer.Member, .. others],
        new ShardAllocation(version, Enumerable.Repeat(new ShardAssignment(owner, 1, []), Shards)),
        coordinator);

    /// <summary>Tells the runtime of a snapshot in which b is, and waits for the connection to it.</summary>
    public async Task ConnectAsync(ClusterSnapshot snapshot)
    {
        // b admits a, and dials where nobody answers: it says nothing over links.
        Peer.Links.SetPeers([new Member(Self, "127.0.0.1:1")]);
        Observer.SnapshotChanged(snapshot);
        await UntilAsync(() => Log.Entries.Contains("connected b Outgoing"));
    }

    /// <summary>Begins a request of one frame.</summary>
    public Task<Refusal> Deliver(ulong trace = 1) =>
        Region.DeliverAsync(RequestFrames.Of(new TraceBuilder().Span(trace, 1).ToBytes(), Shards)).AsTask();

    /// <summary>Hands in a packet of b with these messages.</summary>
    public void Say(params (PeerMessageKind Kind, int Shard, ulong Id, byte[] Payload)[] messages)
    {
        ReceiveBlock block = new(_window, messages.Sum(message => PeerMessageHeader.Size + message.Payload.Length));
        int length = 0;
        foreach ((PeerMessageKind kind, int shard, ulong id, byte[] payload) in messages)
        {
            length = PeerPacketWriter.Write(block.Bytes, length, kind, shard, id, payload, []);
        }

        Handler.OnPacket(PeerId, new PeerPacket(block, 0, length));
        block.Release();
    }

    /// <summary>What b was sent up to now.</summary>
    public async Task<List<Received>> SentAsync()
    {
        // Messages arrive in the order in which they were sent.
        const ulong Marker = ulong.MaxValue;
        Assert.Equal(PeerSend.Queued, Links.Send(PeerId, PeerMessageKind.Delivered, 0, Marker, []));
        List<Received> sent = [];
        while (await Peer.ReceiveAsync() is { Id: not Marker } message)
        {
            sent.Add(message);
        }

        return sent;
    }

    /// <summary>Lets time pass, and comes back when every worker loop has seen it.</summary>
    public async Task PassAsync(long milliseconds)
    {
        Time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        await FlushAsync();
    }

    /// <summary>Comes back when the worker loops have seen everything that was posted.</summary>
    public Task FlushAsync() => new ShardInspection(Region).GetShardsAsync(default);

    /// <summary>Waits, with the clock standing, for what other threads are about to do.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        for (long began = Environment.TickCount64; !condition();)
        {
            Assert.True(Environment.TickCount64 - began < Patience.TotalMilliseconds);
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Links.DisposeAsync();
        await Peer.DisposeAsync();
        await Region.DisposeAsync();
        await Runtime.DisposeAsync();
        Assert.Empty(Log.Faults);
    }

    private static Task<string> Answer(string question, CancellationToken cancellationToken) => Task.FromResult($"a answers {question}");

    /// <summary>Time that a test lets pass is not taken for silence.</summary>
    private static PeerLinkOptions Quiet(PeerLinkOptions options) =>
        options with { HeartbeatInterval = TimeSpan.FromHours(1), SilenceLimit = TimeSpan.FromHours(2) };
}

/// <summary>What was said for the log, in words.</summary>
internal sealed class ClusterLogFake : IClusterLog
{
    public ConcurrentQueue<string> Entries { get; } = [];

    public ConcurrentQueue<Exception> Faults { get; } = [];

    public void Changed(ClusterSnapshot before, ClusterSnapshot after) =>
        Entries.Enqueue($"changed {before.Allocation.Version} to {after.Allocation.Version}");

    public void LeaseLost() => Entries.Enqueue("lease lost");

    public void LeaseRegained(TimeSpan fenced) => Entries.Enqueue(FormattableString.Invariant($"lease regained after {fenced.TotalSeconds} s"));

    public void StoreFailed(string problem) => Entries.Enqueue($"store failed: {problem}");

    public void StoreAnswers() => Entries.Enqueue("store answers");

    public void Faulted(Exception exception) => Faults.Enqueue(exception);

    public void PeerConnected(MemberId peer, PeerDirection direction) => Entries.Enqueue($"connected {peer.Node} {direction}");

    public void PeerDisconnected(MemberId peer, PeerDirection direction, string problem) =>
        Entries.Enqueue($"disconnected {peer.Node} {direction}: {problem}");

    public void PeerProblem(string who, string problem) => Entries.Enqueue($"problem {who}: {problem}");
}
