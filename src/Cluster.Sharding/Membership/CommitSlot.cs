using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// One kind of transaction of a node: at most one is under way; after one that was made, the next waits until the view shows it, and after one
/// that was not (or may have been), it waits a little and the view is read again. So whoever uses it only has to compare what is with what should
/// be, each time. A synchronous state machine.
/// </summary>
internal sealed class CommitSlot(StoreViewCore view, IClusterControlEffects effects)
{
    /// <summary>Between two transactions of a kind: what changes often is written together.</summary>
    private const long Pause = 50;

    private readonly RequestSlot _slot = new(effects);
    private long _awaited;

    /// <summary>Whether the view shows everything that was done here, and a transaction may be sent.</summary>
    public bool IsFree(long now) => view.Revision >= _awaited && _slot.IsFree(now);

    /// <summary>Sends a transaction.</summary>
    public void Send(StoreTransaction transaction, long now)
    {
        _slot.WaitUntil(now + Pause);
        _slot.Send(new StoreRequest.Commit(transaction), now);
    }

    /// <summary>Sends one that sets one key, unless it changes before.</summary>
    public void Send(string key, long ifRevision, ReadOnlyMemory<byte> value, long lease, long now) =>
        Send(new StoreTransaction([new StoreCondition(key, ifRevision)], [new StorePut(key, value, lease)], []), now);

    /// <summary>Takes the answer to its own request.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="answer">What the store said.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    /// <param name="revision">Of the change; 0 when it was not made, or is not known to be.</param>
    /// <returns>False when the request was somebody else's.</returns>
    public bool Answered(StoreRequest request, StoreAnswer answer, long now, out long revision)
    {
        revision = 0;
        if (!_slot.Takes(request))
        {
            return false;
        }

        if (answer is StoreAnswer.Committed { Revision: { } made })
        {
            revision = made;
            _awaited = Math.Max(_awaited, made);
            _slot.Succeeded();
            view.Await(made, now);
        }
        else
        {
            _slot.Failed(now);
            view.Refresh();
        }

        return true;
    }
}
