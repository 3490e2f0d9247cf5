using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Coordination;

/// <summary>
/// Who allocates: the member whose name is under one key, bound to its lease. Whoever finds the key absent writes its own name there, unless
/// somebody was faster. A synchronous state machine; used by one thread at a time.
/// </summary>
/// <remarks>
/// States: follower; candidate (a transaction is under way); coordinator (the view shows this node's name). Invariant: the key changes only from
/// absent (or unreadable) to a name, and from a name to absent when that lease ends. A coordinator that does not know yet that it is none any more
/// does no harm: whatever it commits is bound to the key being unchanged.
/// </remarks>
internal sealed class ElectionCore(MemberId self, StoreViewCore view, MembershipCore membership, IClusterControlEffects effects)
{
    private readonly CommitSlot _slot = new(view, effects);

    /// <summary>Whether this node allocates, as far as it knows.</summary>
    public bool IsCoordinator => membership.IsRegistered && view.Coordinator == self;

    /// <summary>Does what is due.</summary>
    public void Step(long now)
    {
        if (membership.IsRegistered && view.Coordinator.IsNone && _slot.IsFree(now))
        {
            _slot.Send(StoreKeys.Coordinator, view.CoordinatorRevision, StoredDocuments.WriteCoordinator(self), membership.Lease, now);
        }
    }

    /// <summary>Takes the answer to its own request.</summary>
    /// <returns>False when the request was somebody else's.</returns>
    public bool Answered(StoreRequest request, StoreAnswer answer, long now) => _slot.Answered(request, answer, now, out _);
}
