using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Region;

namespace Cluster.Simulation.Nodes;

/// <summary>The door of a process: splits requests, sends their frames to the owners, answers clients.</summary>
internal sealed class SimGateway : IDisposable
{
    private readonly SimWorld _world;
    private readonly SimProcess _process;
    private readonly SplitRequest _split = new(new TraceIdHasher(7));
    private readonly FrameWriter _frames;
    private readonly List<Request> _requests = [];
    private readonly Dictionary<ulong, (Request Request, int Frame, int Attempt)> _underWay = [];
    private ulong _nextSequence;
    private ulong _nextId;

    /// <summary>An open door.</summary>
    public SimGateway(SimWorld world, SimProcess process)
    {
        (_world, _process) = (world, process);
        _frames = new FrameWriter(process.Id.Incarnation);
    }

    /// <summary>Requests without an answer.</summary>
    public int UnderWay => _requests.Count;

    /// <summary>A client's request.</summary>
    /// <param name="body">OTLP, encoded.</param>
    /// <param name="patience">How long the client waits for the answer, milliseconds.</param>
    /// <param name="answer">Called with it, once.</param>
    public void Accept(byte[] body, long patience, Action<Refusal> answer)
    {
        if (_process.Routes is not { } routes)
        {
            answer(Refusal.OwnerUnreachable);
            return;
        }

        if (!_process.Workers.All(worker => worker.Exports.HasRoom))
        {
            answer(Refusal.ExportQueueFull);
            return;
        }

        if (TraceSplitter.Split(body, _split, out _) != WireError.None)
        {
            throw new InvalidOperationException("The workload is not well formed.");
        }

        Request request = new(this, answer);
        _frames.Write(_frames.Plan([_split], routes), ref _nextSequence, request.Batch);
        _requests.Add(request);
        request.Core.Begin(request.Batch, routes, _process.Clock.Now + patience, request);
        Finish();
    }

    /// <summary>An owner's answer.</summary>
    public void Delivered(ulong id, Refusal refusal)
    {
        if (_underWay.Remove(id, out (Request Request, int Frame, int Attempt) sent))
        {
            sent.Request.Core.Answered(sent.Frame, sent.Attempt, refusal, _process.Clock.Now);
            Finish();
        }
    }

    /// <summary>The connection to a peer was lost or made anew.</summary>
    public void Lost(MemberId peer)
    {
        foreach (Request request in _requests)
        {
            request.Core.Lost(peer, _process.Clock.Now);
        }

        Finish();
    }

    /// <summary>There is a newer allocation.</summary>
    public void Apply(ShardAllocation allocation)
    {
        foreach (Request request in _requests)
        {
            request.Core.Apply(allocation, _process.Clock.Now);
        }

        Finish();
    }

    /// <summary>Time has passed.</summary>
    public void Advance(long now)
    {
        foreach (Request request in _requests)
        {
            request.Core.Advance(now);
        }

        Finish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Request request in _requests)
        {
            request.Batch.Dispose();
        }
    }

    private void Finish()
    {
        for (int i = 0; i < _requests.Count;)
        {
            Request request = _requests[i];
            if (!request.Core.IsComplete)
            {
                i++;
                continue;
            }

            _requests.RemoveAt(i);
            foreach (ulong id in request.Ids)
            {
                _underWay.Remove(id);
            }

            request.Batch.Dispose();
            request.Answer(request.Core.Outcome);
        }
    }

    private void Send(Request request, int frame, int attempt, MemberId owner)
    {
        ulong id = ++_nextId;
        _underWay.Add(id, (request, frame, attempt));
        request.Ids.Add(id);
        byte[] bytes = request.Batch.Frame(frame).ToArray();
        int shard = request.Batch.Shard(frame);
        _world.Checks.FrameSent(bytes);
        if (owner == _process.Id)
        {
            _process.Post(1, () => _process.WorkerOf(shard).DeliverOwn(shard, bytes, id));
            return;
        }

        PeerMessageHeader header = new() { Kind = PeerMessageKind.Deliver, Shard = (ushort)shard, Length = bytes.Length, Id = id };
        if (!_world.Network.Send(_process, owner, header, bytes))
        {
            _process.Post(1, () => Delivered(id, Refusal.OwnerUnreachable));
        }
    }

    private sealed class Request(SimGateway gateway, Action<Refusal> answer) : IRoutingEffects
    {
        public RoutingCore Core { get; } = new();

        public FrameBatch Batch { get; } = new();

        public Action<Refusal> Answer { get; } = answer;

        public List<ulong> Ids { get; } = [];

        void IRoutingEffects.Send(int frame, int attempt, MemberId owner, uint term) => gateway.Send(this, frame, attempt, owner);
    }
}
