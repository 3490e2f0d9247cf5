using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Replication;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>Hosts of one shard, 0, on a few members, a network between them that can be made to fail, and one clock that stands still.</summary>
internal sealed class HostNetwork : IDisposable
{
    public static readonly ShardRegionOptions Options = new()
    {
        ShardCount = 1,
        DecisionWait = TimeSpan.FromSeconds(5),
        KeepWholeFrames = true,
    };

    private readonly List<Message> _messages = [];
    private readonly Dictionary<MemberId, HostNode> _nodes = [];
    private readonly ShardRegionOptions _options;
    private long _version;
    private ulong _sequence;

    public HostNetwork(ShardRegionOptions? options = null, int nodes = 3)
    {
        _options = options ?? Options;
        for (int i = 0; i < nodes; i++)
        {
            Add();
        }
    }

    public long Now { get; set; } = 1000;

    public List<HostNode> Nodes { get; } = [];

    public HostNode A => Nodes[0];

    public HostNode B => Nodes[1];

    public HostNode C => Nodes[2];

    public uint Term { get; private set; } = 1;

    /// <summary>One more member, which knows of no allocation.</summary>
    public HostNode Add()
    {
        HostNode node = new(this, new MemberId(((char)('a' + Nodes.Count)).ToString(), (ulong)Nodes.Count + 1), _options);
        node.Host.SetAuthority(long.MaxValue, Now);
        _nodes.Add(node.Id, node);
        Nodes.Add(node);
        return node;
    }

    /// <summary>How often a message arrives: 1 unless a test wants it otherwise.</summary>
    public Func<Message, int> Arrivals { get; set; } = _ => 1;

    /// <summary>When set, messages overtake each other, a few at a time.</summary>
    public Random? Disorder { get; set; }

    public long Version => _version;

    /// <summary>Gives every node an allocation; with another primary than before, under the next term.</summary>
    public void Allocate(HostNode primary, params ShardCopy[] copies) => Allocate(primary, Nodes, fromNothing: false, copies);

    public void Allocate(HostNode primary, IEnumerable<HostNode> told, bool fromNothing, params ShardCopy[] copies)
    {
        if (Allocated is { } previous && (previous.Primary != primary.Id || fromNothing))
        {
            Term++;
        }

        Allocated = new ShardAssignment(primary.Id, Term, copies, fromNothing);
        ShardAllocation allocation = new(++_version, [Allocated]);
        foreach (HostNode node in told.Where(n => !n.IsDown))
        {
            node.Host.Apply(allocation, Now);
        }
    }

    public ShardAssignment? Allocated { get; private set; }

    public byte[] Frame(TraceBuilder request)
    {
        using FrameBatch batch = RequestFrames.Of(request.ToBytes(), 1);
        byte[] frame = batch.Frame(0).ToArray();
        FrameHeader header = MemoryMarshal.Read<FrameHeader>(frame);
        (header.Term, header.Sender, header.Sequence) = (Term, 77, ++_sequence);
        MemoryMarshal.Write(frame, header);
        return frame;
    }

    public void Post(Message message) => _messages.Add(message);

    public IReadOnlyList<Message> UnderWay => _messages;

    /// <summary>Lets messages arrive until none is under way.</summary>
    public void Settle()
    {
        while (_messages.Count > 0)
        {
            int at = Disorder?.Next(4) == 0 ? Disorder.Next(Math.Min(4, _messages.Count)) : 0;
            Message message = _messages[at];
            _messages.RemoveAt(at);
            for (int arrivals = Arrivals(message); arrivals > 0; arrivals--)
            {
                Arrive(message);
            }
        }
    }

    public void Pass(long milliseconds)
    {
        for (long end = Now + milliseconds; Now < end;)
        {
            Now += 10;
            foreach (HostNode node in Nodes.Where(n => !n.IsDown))
            {
                node.Host.Advance(Now);
            }

            Settle();
            Assert.All(Nodes, node => Assert.Equal(node.OutstandingBytes, node.Services.Statistics.UnacknowledgedBytes));
        }
    }

    /// <summary>A process dies: what it had is gone.</summary>
    public void Kill(HostNode node)
    {
        node.IsDown = true;
        _messages.RemoveAll(m => m.To == node.Id);
    }

    public void Dispose()
    {
        foreach (HostNode node in Nodes)
        {
            node.Dispose();
        }
    }

    private void Arrive(Message message)
    {
        if (_nodes.TryGetValue(message.To, out HostNode? to) && !to.IsDown)
        {
            PeerMessageHeader header = new() { Kind = message.Kind, Shard = 0, Length = message.Payload.Length, Id = message.Number };
            to.Host.Receive(message.From, header, message.Payload, Now);
            to.EndTurn();
        }
    }
}

internal sealed record Message(MemberId From, MemberId To, PeerMessageKind Kind, ulong Number, byte[] Payload)
{
    public ReplicationItemKind Item => Kind == PeerMessageKind.Replicate ? (ReplicationItemKind)Payload[4] : default;
}

internal sealed class HostNode : IShardHostEffects, IDisposable
{
    private readonly HostNetwork _network;
    private readonly SlabPool _slabs = new();
    private readonly HandOverOrder _handOvers = new();
    private ulong _token;

    public HostNode(HostNetwork network, MemberId id, ShardRegionOptions options)
    {
        _network = network;
        Id = id;
        ConfigurationErrors errors = new();
        PolicySet set = PolicyCompiler.Parse(ShardHarness.Errors, errors)!;
        Services = new ShardServices(options, set, new TokenBuckets(set.Budgets), _slabs, Queue, new TraceIdHasher(id.Incarnation));
        Services.Writer.Done = handOver => _handOvers.Add(handOver);
        Host = new ShardHostCore(id, Services, this, shard => shard == 0, network.Now);
    }

    public MemberId Id { get; }

    public ShardServices Services { get; }

    public QueueFake Queue { get; } = new();

    public ShardHostCore Host { get; }

    public Dictionary<ulong, Refusal> Answers { get; } = [];

    public bool IsDown { get; set; }

    public ShardPrimaryCore Primary => Host.Primary(0)!;

    public ShardCore Core => Primary.Core;

    public ShardCopyCore Copy => Host.Copy(0)!;

    /// <summary>Bytes that copies have not confirmed, by the streams themselves.</summary>
    public long OutstandingBytes => Host.Primary(0)?.Streams.Sum(stream => (long)stream.OutstandingBytes) ?? 0;

    public long SlabBytes
    {
        get
        {
            Services.Slabs.Trim();
            return _slabs.BytesInUse;
        }
    }

    public ShardCopy InSync(long since) => new(Id, since, true);

    public ShardCopy Learner(long since) => new(Id, since, false);

    public ShardCopy Stale(long since) => new(Id, since, false, IsStale: true);

    public ulong Send(TraceBuilder request) => Send(_network.Frame(request));

    public ulong Send(byte[] frame)
    {
        Host.Deliver(0, frame, ++_token, _network.Now);
        EndTurn();
        return _token;
    }

    /// <summary>Unless a test wants it otherwise, a turn has one message.</summary>
    public bool HasLongTurns { get; set; }

    public void EndTurn()
    {
        if (!HasLongTurns)
        {
            Host.EndTurn(_network.Now);
        }
    }

    /// <summary>What the exporters got since the last call; they are done with it, which the host does not know yet.</summary>
    public ExportTraceServiceRequest Kept() => Queue.TakeAll();

    /// <summary>Tells the host what the exporters are done with.</summary>
    public void Confirm()
    {
        Host.Exported(_handOvers.UpTo);
        EndTurn();
    }

    public Refusal? Answer(ulong token) => Answers.TryGetValue(token, out Refusal refusal) ? refusal : null;

    public CopyState? Report(HostNode of) =>
        Host.Reports.Where(r => r.Member == of.Id && r.Term == _network.Term).Select(r => (CopyState?)r.State).SingleOrDefault();

    public void Dispose()
    {
        Host.Dispose();
        Assert.Equal(0, Services.Statistics.CopiedEntries);
        Assert.Equal(0, Services.Statistics.PendingTraces);
        Assert.Equal(0, Services.Statistics.PendingSlices);
        Assert.Equal(0, Services.Statistics.UnacknowledgedBytes);
        Assert.Equal(0, Services.Contexts.Live);
        Assert.Equal(0, SlabBytes);
        Services.Dispose();
        _slabs.Dispose();
    }

    void IShardHostEffects.Answer(ulong token, Refusal refusal) => Answers.Add(token, refusal);

    void IShardHostEffects.Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
    {
        Assert.Equal(0, shard);
        if (!IsDown)
        {
            _network.Post(new Message(Id, to, kind, id, [.. payload, .. body]));
        }
    }
}
