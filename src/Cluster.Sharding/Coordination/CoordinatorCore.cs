using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Coordination;

/// <summary>
/// Allocates, while this node is the coordinator: finds the next allocation from what the view shows, and commits it if all of that still holds. A
/// synchronous state machine; used by one thread at a time.
/// </summary>
/// <remarks>
/// States: not coordinator; idle (nothing to change); committing; reading again (somebody was faster, or nobody knows). Invariants: an allocation is
/// committed only if the one before is still there, this node is still the coordinator, and everyone taken for dead is still dead; so whatever
/// this node missed, no decision is ever built on it. An allocation that cannot be read is never written over.
/// </remarks>
internal sealed class CoordinatorCore(
    ClusterControlOptions options, StoreViewCore view, ElectionCore election, IClusterControlEffects effects)
{
    /// <summary>How often it looks whether time alone has made something due.</summary>
    private const long LookPause = 200;

    private readonly CommitSlot _slot = new(view, effects);
    private readonly AllocationPlanner _planner = new(options);
    private long _seenRevision;
    private long _lookAt;
    private AllocationStep? _committing;

    /// <summary>Shards that this coordinator had begin anew, since nobody was left who had them: what was in them is lost.</summary>
    public long EmptiedShards { get; private set; }

    /// <summary>
    /// Shards of which this coordinator made a stale copy the primary, since no other was left: what was acknowledged without it is lost, if anything was.
    /// </summary>
    public long StalePromotions { get; private set; }

    /// <summary>Does what is due.</summary>
    public void Step(long now)
    {
        if (!election.IsCoordinator)
        {
            _planner.Forget();
            return;
        }

        if (!view.AllocationIsStored || !_slot.IsFree(now) || (view.Revision == _seenRevision && now < _lookAt))
        {
            return;
        }

        _seenRevision = view.Revision;
        _lookAt = now + LookPause;
        if (_planner.Next(view.Allocation, view.Members, view.Unknown, view.Reports, now) is { } step)
        {
            _committing = step;
            Commit(step, now);
        }
    }

    /// <summary>Takes the answer to its own request.</summary>
    /// <returns>False when the request was somebody else's.</returns>
    public bool Answered(StoreRequest request, StoreAnswer answer, long now)
    {
        if (!_slot.Answered(request, answer, now, out long revision))
        {
            return false;
        }

        if (revision > 0)
        {
            EmptiedShards += _committing!.Emptied;
            StalePromotions += _committing.StalePromotions;
        }

        return true;
    }

    private void Commit(AllocationStep step, long now)
    {
        List<StoreCondition> conditions =
        [
            new(StoreKeys.Allocation, view.AllocationRevision),
            new(StoreKeys.Coordinator, view.CoordinatorRevision),
        ];

        // The same name may be there again as another run: then that run must still be the one.
        conditions.AddRange(step.TakenForDead
            .Order(StringComparer.Ordinal)
            .Select(node => new StoreCondition(StoreKeys.Member(node), view.FindMember(node)?.ModifyRevision ?? 0)));
        _slot.Send(new StoreTransaction(conditions, [new(StoreKeys.Allocation, StoredDocuments.WriteAllocation(step.Next))], []), now);
    }
}
