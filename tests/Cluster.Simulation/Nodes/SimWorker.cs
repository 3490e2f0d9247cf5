using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Log;
using Cluster.Sharding.Shards;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Network;

namespace Cluster.Simulation.Nodes;

/// <summary>One worker loop of a process: the core that carries its shards, and its way to peers, gateways and exporters.</summary>
internal sealed class SimWorker : IShardHostEffects, IDisposable
{
    private readonly SimWorld _world;
    private readonly SimProcess _process;
    private readonly SlabPool _slabs = new();
    private readonly Dictionary<ulong, (MemberId From, ulong Id)> _forPeers = [];
    private ulong _nextToken;
    private bool _turnEndsSoon;

    /// <summary>A loop that carries every <paramref name="count"/>-th shard.</summary>
    public SimWorker(SimWorld world, SimProcess process, int index, int count)
    {
        (_world, _process) = (world, process);
        Exports = new SimExports(world, process, this);
        Services = new ShardServices(
            world.Options.Region, world.Policies, new TokenBuckets(world.Policies.Budgets), _slabs, Exports, new TraceIdHasher(7));
        Host = new ShardHostCore(process.Id, Services, this, shard => shard % count == index, process.Clock.Now);
    }

    /// <summary>The shards.</summary>
    public ShardHostCore Host { get; }

    /// <summary>What the shards share.</summary>
    public ShardServices Services { get; }

    /// <summary>What was kept, on its way out.</summary>
    public SimExports Exports { get; }

    /// <summary>Traces written for the exporters, when this was last looked at.</summary>
    public long WrittenTraces { get; set; }

    /// <summary>Delivers a frame of a peer's gateway.</summary>
    public void DeliverFor(MemberId from, PeerLetter letter)
    {
        ulong token = ++_nextToken;
        _forPeers.Add(token, (from, letter.Header.Id));
        Deliver(letter.Header.Shard, letter.Payload, token);
    }

    /// <summary>Delivers a frame of this process's own gateway, which is answered by <see cref="SimGateway.Delivered"/>.</summary>
    public void DeliverOwn(int shard, byte[] frame, ulong id)
    {
        ulong token = ++_nextToken;
        _forPeers.Add(token, (_process.Id, id));
        Deliver(shard, frame, token);
    }

    /// <summary>Looks at what the core did, from outside.</summary>
    public void Observe() => _world.Checks.Observe(_process, this);

    /// <inheritdoc/>
    public void Dispose()
    {
        Host.Dispose();
        Services.Dispose();
        Exports.Dispose();
        _slabs.Dispose();
    }

    void IShardHostEffects.Answer(ulong token, Refusal refusal)
    {
        if (!_forPeers.Remove(token, out (MemberId From, ulong Id) asker))
        {
            if (!_world.Mutations.AnswersEarly)
            {
                throw new ViolationException("answers", $"{_process.Name} answered a delivery that it does not have, or twice");
            }

            return;
        }

        _world.Checks.Answered(_process, this, token, refusal);
        Reply(asker.From, asker.Id, refusal);
    }

    void IShardHostEffects.Send(MemberId to, PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
    {
        byte[] whole = [.. payload, .. body];
        PeerMessageHeader header = new() { Kind = kind, Shard = (ushort)shard, Length = whole.Length, Id = id };
        _world.Network.Send(_process, to, header, whole);
    }

    private void Deliver(int shard, byte[] frame, ulong token)
    {
        _world.Checks.Delivering(this, frame, token);
        if (_world.Mutations.AnswersEarly)
        {
            ((IShardHostEffects)this).Answer(token, Refusal.None);
        }

        Host.Deliver(shard, frame, token, _process.Clock.Now);
        EndTurnSoon();
    }

    /// <summary>A turn ends within a moment; whatever comes until then is part of it.</summary>
    public void EndTurnSoon()
    {
        if (!_turnEndsSoon)
        {
            _turnEndsSoon = true;
            _process.Post(_world.Random.Between(0, 400), () =>
            {
                _turnEndsSoon = false;
                Host.EndTurn(_process.Clock.Now);
            });
        }
    }

    private void Reply(MemberId to, ulong id, Refusal refusal)
    {
        if (to == _process.Id)
        {
            _process.Post(1, () => _process.Gateway.Delivered(id, refusal));
            return;
        }

        PeerMessageHeader header = new() { Kind = PeerMessageKind.Delivered, Length = 1, Id = id };
        _world.Network.Send(_process, to, header, [(byte)refusal]);
    }
}
