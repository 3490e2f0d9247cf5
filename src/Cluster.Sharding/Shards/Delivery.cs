using System.Threading.Tasks.Sources;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Shards;

/// <summary>
/// One batch of frames on its way to the worker loops: the message in their mailboxes, and the acknowledgement that the gateway awaits. Used
/// again and again; given back when the acknowledgement has been read.
/// <code>
///   free --Begin--> under way --last Done--> acknowledged (or failed) --awaited--> free
/// </code>
/// Invariant: it is given back once, after every worker it was posted to is done with it.
/// </summary>
internal sealed class Delivery(Action<Delivery> giveBack) : IValueTaskSource<Refusal>
{
    // The gateway goes on elsewhere: a worker loop must not find itself writing responses.
    private ManualResetValueTaskSourceCore<Refusal> _acknowledgement = new() { RunContinuationsAsynchronously = true };
    private int _left;
    private int _refusal;
    private Exception? _failure;

    /// <summary>The frames; each worker takes those of its own shards.</summary>
    public FrameBatch Batch { get; private set; } = null!;

    /// <summary>Bytes of the frames.</summary>
    public int Bytes { get; private set; }

    /// <summary>Begins a delivery to <paramref name="workers"/> worker loops.</summary>
    public ValueTask<Refusal> Begin(FrameBatch batch, int workers)
    {
        Batch = batch;
        Bytes = batch.Length;
        _left = workers;
        _refusal = (int)Refusal.None;
        _failure = null;
        _acknowledgement.Reset();
        return new ValueTask<Refusal>(this, _acknowledgement.Version);
    }

    /// <summary>One worker is done. The last one acknowledges.</summary>
    public void Done(Refusal refusal)
    {
        if (refusal != Refusal.None)
        {
            Volatile.Write(ref _refusal, (int)refusal);
        }

        if (Interlocked.Decrement(ref _left) == 0)
        {
            if (Volatile.Read(ref _failure) is { } failure)
            {
                _acknowledgement.SetException(failure);
            }
            else
            {
                _acknowledgement.SetResult((Refusal)Volatile.Read(ref _refusal));
            }
        }
    }

    /// <summary>One worker failed, which is a fault of this program: whoever awaits the acknowledgement gets the exception instead.</summary>
    public void Fail(Exception failure)
    {
        Volatile.Write(ref _failure, failure);
        Done(Refusal.None);
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
            giveBack(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource<Refusal>.GetStatus(short token) => _acknowledgement.GetStatus(token);

    void IValueTaskSource<Refusal>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _acknowledgement.OnCompleted(continuation, state, token, flags);
}
