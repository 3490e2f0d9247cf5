using System.Threading.Tasks.Sources;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Region;

/// <summary>
/// One request's frames on their way: the shell around <see cref="RoutingCore"/>, the message in worker loops' mailboxes, and the
/// acknowledgement that the gateway awaits. Used again and again; given back when the acknowledgement has been read. Thread-safe.
/// <code>
///   free --Begin--> under way --every frame answered, no worker reading--> acknowledged (or failed) --awaited--> free
/// </code>
/// Invariants: it is acknowledged once; while a worker loop reads the batch, or still has to, it is not.
/// </summary>
internal sealed class Delivery : IValueTaskSource<Refusal>, IRoutingEffects
{
    private readonly Lock _gate = new();
    private readonly RoutingCore _routing = new();
    private readonly IDeliveryWays _ways;

    // The gateway goes on elsewhere: a worker loop must not find itself writing responses.
    private ManualResetValueTaskSourceCore<Refusal> _acknowledgement = new() { RunContinuationsAsynchronously = true };
    private int[] _localAttempts = new int[16];
    private readonly List<(int Frame, int Attempt, Refusal Refusal)> _unsent = [];
    private int _forwarded;
    private int _forwardedAgain;
    private ulong _addressed;
    private int _readers;
    private bool _acknowledged = true;
    private Refusal _refusal;
    private Exception? _failure;

    /// <summary>A delivery of a region.</summary>
    /// <param name="ways">How frames get to where they belong.</param>
    /// <param name="slot">Its place in the region's table.</param>
    public Delivery(IDeliveryWays ways, int slot)
    {
        _ways = ways;
        Slot = slot;
    }

    /// <summary>Its place in the region's table.</summary>
    public int Slot { get; }

    /// <summary>Counts its uses, so that an answer to an earlier one is known as such.</summary>
    public ushort Generation { get; private set; }

    /// <summary>The frames; each worker takes those of its own shards.</summary>
    public FrameBatch Batch { get; private set; } = null!;

    /// <summary>Bytes of the frames.</summary>
    public int Bytes { get; private set; }

    /// <summary>Begins a delivery.</summary>
    public ValueTask<Refusal> Begin(FrameBatch batch, ShardAllocation allocation, long now, long deadline)
    {
        lock (_gate)
        {
            Batch = batch;
            Bytes = batch.Length;
            Generation++;
            _acknowledged = false;
            _failure = null;
            _refusal = Refusal.None;
            _acknowledgement.Reset();
            if (_localAttempts.Length < batch.Count)
            {
                _localAttempts = new int[batch.Count];
            }

            Array.Clear(_localAttempts, 0, batch.Count);
            ValueTask<Refusal> acknowledgement = new(this, _acknowledgement.Version);
            _routing.Begin(batch, allocation, deadline, this);
            Flush(now);
            Finish();
            return acknowledgement;
        }
    }

    /// <summary>A worker loop takes a frame that was sent to it; 0 when it was not, or has been taken.</summary>
    public int TakeLocal(int frame)
    {
        int attempt = _localAttempts[frame];
        _localAttempts[frame] = 0;
        return attempt;
    }

    /// <summary>A frame was answered for, if the answer is to this use of the delivery.</summary>
    public void Answered(ushort generation, int frame, int attempt, Refusal refusal, long now)
    {
        lock (_gate)
        {
            if (!_acknowledged && generation == Generation)
            {
                _routing.Answered(frame, attempt, refusal, now);
                Flush(now);
                Finish();
            }
        }
    }

    /// <summary>The whole is refused, whatever becomes of frames that are elsewhere.</summary>
    public void Refuse(Refusal refusal)
    {
        lock (_gate)
        {
            _refusal = refusal;
            Finish();
        }
    }

    /// <summary>The connection to a member was lost.</summary>
    public void Lost(MemberId peer, long now) => Change(static (routing, peer, now) => routing.Lost(peer, now), peer, now);

    /// <summary>There is a newer allocation.</summary>
    public void Apply(ShardAllocation allocation, long now) =>
        Change(static (routing, allocation, now) => routing.Apply(allocation, now), allocation, now);

    /// <summary>Time has passed.</summary>
    public void Advance(long now) => Change(static (routing, _, now) => routing.Advance(now), 0, now);

    /// <summary>A worker loop has read the batch.</summary>
    /// <param name="failure">What went wrong while it did, which is a fault of this program.</param>
    public void ReaderEnds(Exception? failure)
    {
        lock (_gate)
        {
            _readers--;
            _failure ??= failure;
            Finish();
        }
    }

    void IRoutingEffects.Send(int frame, int attempt, MemberId owner, uint term)
    {
        if (_ways.IsLocal(owner))
        {
            _localAttempts[frame] = attempt;
            _addressed |= 1UL << _ways.WorkerOf(Batch.Shard(frame));
        }
        else if (_ways.SendToPeer(this, frame, attempt, owner) is not PeerSend.Queued and var problem)
        {
            if (problem == PeerSend.TooLarge)
            {
                // No gateway writes such frames: the owner was set up to take less. A refusal would have the client come back for ever.
                _failure ??= new InvalidOperationException($"{owner} takes no frame of {Batch.Frame(frame).Length} bytes.");
            }

            _unsent.Add((frame, attempt, problem == PeerSend.NotConnected ? Refusal.OwnerUnreachable : Refusal.PeerBusy));
        }
        else
        {
            _forwarded++;
            _forwardedAgain += attempt > 1 ? 1 : 0;
        }
    }

    Refusal IValueTaskSource<Refusal>.GetResult(short token)
    {
        try
        {
            return _acknowledgement.GetResult(token);
        }
        finally
        {
            Batch = null!;
            _ways.GiveBack(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource<Refusal>.GetStatus(short token) => _acknowledgement.GetStatus(token);

    void IValueTaskSource<Refusal>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _acknowledgement.OnCompleted(continuation, state, token, flags);

    private void Change<T>(Action<RoutingCore, T, long> change, T argument, long now)
    {
        lock (_gate)
        {
            if (!_acknowledged)
            {
                change(_routing, argument, now);
                Flush(now);
                Finish();
            }
        }
    }

    /// <summary>Tells worker loops of frames for them, the core of frames that no link took, and the region how many were taken.</summary>
    private void Flush(long now)
    {
        for (int worker = 0; _addressed != 0; worker++)
        {
            if ((_addressed & 1UL << worker) != 0)
            {
                _addressed &= ~(1UL << worker);
                _readers++;
                _ways.Post(this, worker);
            }
        }

        for (int i = 0; i < _unsent.Count; i++)
        {
            _routing.Answered(_unsent[i].Frame, _unsent[i].Attempt, _unsent[i].Refusal, now);
        }

        _unsent.Clear();
        if (_forwarded > 0)
        {
            _ways.CountForwarded(_forwarded, _forwardedAgain);
            (_forwarded, _forwardedAgain) = (0, 0);
        }
    }

    private void Finish()
    {
        if (_acknowledged || _readers > 0)
        {
            return;
        }

        if (_failure is { } failure)
        {
            _acknowledged = true;
            _acknowledgement.SetException(failure);
        }
        else if (_refusal != Refusal.None || _routing.IsComplete)
        {
            _acknowledged = true;
            _acknowledgement.SetResult(_refusal != Refusal.None ? _refusal : _routing.Outcome);
        }
    }
}

/// <summary>How a delivery's frames get to where they belong. Called under the delivery's lock; must not call back into it.</summary>
internal interface IDeliveryWays
{
    /// <summary>Whether a member is this node.</summary>
    bool IsLocal(MemberId member);

    /// <summary>Sends a frame to its owner on another node.</summary>
    PeerSend SendToPeer(Delivery delivery, int frame, int attempt, MemberId owner);

    /// <summary>Links took frames: how many, and how many of them at a second or later attempt. Once for all that are sent together.</summary>
    void CountForwarded(int frames, int again);

    /// <summary>The worker loop that carries a shard, 0 to 63.</summary>
    int WorkerOf(int shard);

    /// <summary>Puts a delivery into a worker loop's mailbox.</summary>
    void Post(Delivery delivery, int worker);

    /// <summary>The acknowledgement was read.</summary>
    void GiveBack(Delivery delivery);
}
