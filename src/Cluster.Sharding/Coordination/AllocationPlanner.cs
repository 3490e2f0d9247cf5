using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Coordination;

/// <summary>
/// Finds the next allocation: one step from what is, to where everything should be. A synchronous state machine; used by one thread at a time.
/// </summary>
/// <remarks>
/// A shard, with one copy wanted (a star is a copy in sync, an exclamation mark a stale one; P, Q, R are members):
/// <code>
///  P            ──fill──►  P, Q        ──caught up──►  P, Q*                              filled
///  P, Q*        ──fill──►  P, Q*, R    ──caught up──►  P, Q*, R*  ──swap──►  R, Q*        moved, term + 1
///  P, Q*, R*    ──P dead──►  Q, R*  (term + 1)         P, Q*, R*  ──Q dead or suspect──►  P, R*
///
///  P, Q*        ──P dead──►  Q, P!  (term + 1)         the last one is kept
///  P, Q*        ──Q dead or suspect──►  P, Q!
///  P, Q!        ──fill──►  P, Q!, R    ──caught up──►  P, R*
///  P, Q!        ──P dead, for one lease's time──►  Q  (term + 1)
///  P, Q!        ──released, nobody else──►  P, Q       filled anew
///  P, Q         ──P dead, for one lease's time──►  R, empty (term + 1)
/// </code>
/// Invariants of each step: a copy is never with its primary, nor two on one member; the term rises exactly when the primary changes; whoever becomes
/// primary was a copy in sync before, or a stale one if no other holder has been alive for a lease's time, unless the shard begins empty; a shard
/// with a live copy in sync, or a live stale one, never begins empty; a copy in sync is given up only when it is dead or suspect, or enough others
/// are in sync, and the last one only becomes stale. So does a primary whose place is taken when it is dead, unless a copy is in sync beside the
/// next one. A stale copy is there only while none is in sync, and while no other run of its node is known; its member may be given a learner in its
/// place, or leave, once the primary has said that it goes on without it. At most <see cref="ClusterControlOptions.MovesInFlight"/> learners
/// are made.
/// What is remembered between steps only delays them: where everything should be (found anew when the members change), since when a shard is
/// without a holder, since when a copy is a learner, and where copies have failed.
/// </remarks>
internal sealed class AllocationPlanner(ClusterControlOptions options)
{
    /// <summary>
    /// A learner that has not caught up by then is given up, milliseconds. Much longer than it takes to fill any shard: a primary reports a copy
    /// that does not answer, so only what nobody reports comes to this.
    /// </summary>
    public const long LearnerPatience = 10 * 60_000;

    private readonly long _patience = (long)options.LeaseTimeToLive.TotalMilliseconds;
    private readonly Dictionary<int, long> _orphanSince = [];
    private readonly Dictionary<int, (uint Term, long SinceWhen)> _tooManySince = [];
    private readonly Dictionary<(int Shard, uint Term, ShardCopy Learner), long> _learnsSince = [];
    private readonly Dictionary<(int Shard, MemberId Member), long> _avoidUntil = [];
    private Dictionary<(int Shard, MemberId Member), CopyState> _said = [];
    private IReadOnlyList<Member> _targetMembers = [];
    private ShardTarget[]? _targets;

    /// <summary>Whether some shard should have a copy and has none in sync.</summary>
    private bool _someUnprotected;

    /// <summary>Forgets what was remembered: somebody else has allocated since.</summary>
    public void Forget()
    {
        _orphanSince.Clear();
        _tooManySince.Clear();
        _learnsSince.Clear();
        _avoidUntil.Clear();
        _targets = null;
    }

    /// <summary>Finds the next step.</summary>
    /// <param name="current">What is; version 0 before the first.</param>
    /// <param name="members">Everyone who is alive, by node name.</param>
    /// <param name="unknown">Names of nodes that are there, but nobody knows as which run: neither alive nor dead.</param>
    /// <param name="reports">What primaries say.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    /// <returns>Null when nothing is to be changed.</returns>
    public AllocationStep? Next(
        ShardAllocation current, IReadOnlyList<Member> members, IReadOnlySet<string> unknown, IEnumerable<StoredReports> reports, long now)
    {
        AllocationDraft draft = new(current, members, unknown);
        foreach ((int Shard, uint Term, ShardCopy Learner) learner in _learnsSince.Keys.Where(learner => !IsIn(current, learner)).ToArray())
        {
            _learnsSince.Remove(learner);
        }

        _said = ReadReports(current, reports);
        Tend(draft, now);
        if (_targets is null || !members.SequenceEqual(_targetMembers))
        {
            _targets = ShardAllocationStrategy.Compute(members, draft.ToAllocation(), options.Replicas);
            _targetMembers = members;
        }

        foreach ((int Shard, MemberId Member) place in _avoidUntil.Where(place => place.Value <= now).Select(place => place.Key).ToArray())
        {
            _avoidUntil.Remove(place);
        }

        _someUnprotected = Enumerable.Range(0, draft.ShardCount).Any(
            i => _targets[i].Copies.Count > 0 && draft.IsAlive(draft[i].Primary) && !draft[i].Replicas.Any(copy => copy.InSync));
        for (int i = 0; i < current.ShardCount; i++)
        {
            Settle(draft, i, now);
        }

        Fill(draft);
        return draft.ToStep();
    }

    /// <summary>What the primaries of this allocation say of the copies in it.</summary>
    private static Dictionary<(int Shard, MemberId Member), CopyState> ReadReports(ShardAllocation current, IEnumerable<StoredReports> reports)
    {
        Dictionary<(int, MemberId), CopyState> states = [];
        foreach (StoredReports node in reports)
        {
            foreach (ShardReport report in node.Reports)
            {
                if (report.Shard >= 0
                    && report.Shard < current.ShardCount
                    && current[report.Shard] is { } shard
                    && shard.Primary == node.From
                    && shard.Term == report.Term
                    && shard.CopyOn(report.Member)?.Since == report.Since)
                {
                    states[(report.Shard, report.Member)] = report.State;
                }
            }
        }

        return states;
    }

    /// <summary>Safety first: shards without a primary, dead and suspect copies, copies that have caught up.</summary>
    private void Tend(AllocationDraft draft, long now)
    {
        for (int i = 0; i < draft.ShardCount; i++)
        {
            ShardAssignment shard = draft[i];
            if (draft.IsDead(shard.Primary))
            {
                Promote(draft, i);
                continue;
            }

            if (!draft.IsAlive(shard.Primary))
            {
                continue;
            }

            List<ShardCopy>? copies = null;
            foreach (ShardCopy copy in shard.Replicas)
            {
                CopyState state = _said.GetValueOrDefault((i, copy.Member));
                if (copy.IsStale)
                {
                    if (IsOver(draft, i, copy))
                    {
                        (copies ??= [.. shard.Replicas]).Remove(copy);
                    }
                }
                else if (draft.IsDead(copy.Member))
                {
                    draft.TakeForDead(copy.Member);
                    (copies ??= [.. shard.Replicas]).Remove(copy);
                }
                else if (state == CopyState.Suspect || (state != CopyState.CaughtUp && LearnsForTooLong(i, shard.Term, copy, now)))
                {
                    _avoidUntil[(i, copy.Member)] = now + 3 * _patience;
                    (copies ??= [.. shard.Replicas]).Remove(copy);
                }
                else if (state == CopyState.CaughtUp && copy.IsLearner)
                {
                    copies ??= [.. shard.Replicas];
                    copies[copies.IndexOf(copy)] = copy with { InSync = true };
                }
            }

            if (copies is not null)
            {
                if (copies.Exists(copy => copy.InSync))
                {
                    copies.RemoveAll(copy => copy.IsStale);
                }
                else
                {
                    // The primary may be dead already, with its lease still lasting: then these are the last that have everything.
                    copies.AddRange(Keep(draft, shard.Replicas));
                }

                draft[i] = shard with { Replicas = copies };
            }
        }
    }

    /// <summary>Of copies that are given up those that were in sync, as stale ones, if their memory may still be there.</summary>
    private static IEnumerable<ShardCopy> Keep(AllocationDraft draft, IEnumerable<ShardCopy> copies) => copies
        .Where(copy => copy.InSync && !draft.IsReplaced(copy.Member))
        .Select(copy => copy with { InSync = false, IsStale = true });

    /// <summary>Whether a stale copy is of no use any more though no other is in sync.</summary>
    private bool IsOver(AllocationDraft draft, int i, ShardCopy stale)
    {
        if (draft.IsReplaced(stale.Member))
        {
            draft.TakeForDead(stale.Member);
            return true;
        }

        return IsReleased(i, stale.Member) && (options.Replicas == 0 || draft.Find(stale.Member) is { Leaving: true });
    }

    /// <summary>Whether a shard's primary is alive and goes on without a stale copy.</summary>
    private bool IsReleased(int i, MemberId member) => _said.GetValueOrDefault((i, member)) == CopyState.Released;

    private static bool IsIn(ShardAllocation allocation, (int Shard, uint Term, ShardCopy Learner) learner) =>
        allocation[learner.Shard].Term == learner.Term && allocation[learner.Shard].CopyOn(learner.Learner.Member) == learner.Learner;

    /// <summary>Whether a copy has been a learner of this primary, as far as this planner has seen, for longer than any fill takes.</summary>
    private bool LearnsForTooLong(int i, uint term, ShardCopy copy, long now) =>
        copy.IsLearner && !_learnsSince.TryAdd((i, term, copy), now) && now - _learnsSince[(i, term, copy)] >= LearnerPatience;

    /// <summary>The primary is dead: a copy in sync takes its place, the one whose member has least to do.</summary>
    private static void Promote(AllocationDraft draft, int i)
    {
        ShardAssignment shard = draft[i];
        if (FindBest(draft, shard.Replicas.Where(copy => copy.InSync)) is not { } best)
        {
            return;
        }

        draft.TakeForDead(shard.Primary);
        List<ShardCopy> others = [.. shard.Replicas.Where(copy => copy != best)];
        foreach (ShardCopy copy in others.Where(copy => draft.IsDead(copy.Member)))
        {
            draft.TakeForDead(copy.Member);
        }

        List<ShardCopy> rest = [.. others.Where(copy => !draft.IsDead(copy.Member))];
        if (!rest.Exists(copy => copy.InSync))
        {
            // Who lost only a lease has everything too, until the next primary, which is the only one now, goes on without it.
            rest.AddRange(Keep(draft, others.Append(new ShardCopy(shard.Primary, draft.Version, InSync: true))));
        }

        draft[i] = new ShardAssignment(best.Member, shard.Term + 1, rest);
    }

    /// <summary>Of copies those on living members, of these the one whose member has least to do.</summary>
    private static ShardCopy? FindBest(AllocationDraft draft, IEnumerable<ShardCopy> copies) => copies
        .Where(copy => draft.IsAlive(copy.Member))
        .OrderBy(copy => draft.Find(copy.Member)!.Leaving)
        .ThenBy(copy => (draft.PrimariesOf(copy.Member) + 1) / draft.Find(copy.Member)!.Capacity)
        .FirstOrDefault();

    /// <summary>One shard's way to where it should be, but for new learners.</summary>
    private void Settle(AllocationDraft draft, int i, long now)
    {
        ShardAssignment shard = draft[i];
        if (draft.IsAlive(shard.Primary))
        {
            _orphanSince.Remove(i);
            if (!Swap(draft, i))
            {
                Drop(draft, i, now);
            }
        }
        else if (shard.Primary.IsNone)
        {
            Begin(draft, i);
        }
        else if (draft.IsDead(shard.Primary) && shard.Replicas.All(copy => !copy.InSync || draft.IsDead(copy.Member)))
        {
            // A node whose lease has ended may come back with what it has in memory: a primary with more than a stale copy.
            if (_orphanSince.TryAdd(i, now) || now - _orphanSince[i] < _patience)
            {
                return;
            }

            if (FindBest(draft, shard.Replicas.Where(copy => copy.IsStale)) is { } stale)
            {
                draft[i] = new ShardAssignment(stale.Member, shard.Term + 1, []);
                draft.StalePromotions++;
            }
            else if (Begin(draft, i))
            {
                draft.Emptied++;
            }
            else
            {
                return;
            }

            draft.TakeForDead(shard.Primary);
            foreach (ShardCopy copy in shard.Replicas.Where(copy => copy.InSync))
            {
                draft.TakeForDead(copy.Member);
            }

            _orphanSince.Remove(i);
        }
    }

    /// <summary>Gives a shard to a member that has nothing of it.</summary>
    private bool Begin(AllocationDraft draft, int i)
    {
        MemberId primary = _targets![i].Primary;
        if (primary.IsNone)
        {
            return false;
        }

        draft[i] = new ShardAssignment(primary, draft[i].Term + 1, [], FromNothing: !draft[i].Primary.IsNone);
        return true;
    }

    /// <summary>Makes the primary who should be, once that one and enough others beside it have been in sync.</summary>
    private bool Swap(AllocationDraft draft, int i)
    {
        ShardAssignment shard = draft[i];
        MemberId target = _targets![i].Primary;
        if (target.IsNone || target == shard.Primary || draft.HasNewPrimary(i) || !draft.IsAlive(target) || !draft.WasAndIsInSync(i, target))
        {
            return false;
        }

        int beside = shard.Replicas.Count(copy => copy.Member != target && draft.WasAndIsInSync(i, copy.Member) && draft.IsAlive(copy.Member));
        if (beside < WantedBeside(draft, i))
        {
            return false;
        }

        if (_someUnprotected && draft.Find(shard.Primary) is { Leaving: false })
        {
            // Balance can wait.
            return false;
        }

        // The last primary stays as a copy in sync until there are enough others: who looks alive may be dead already.
        ShardCopy last = new(shard.Primary, draft.Version, InSync: true);
        draft[i] = new ShardAssignment(target, shard.Term + 1, [.. shard.Replicas.Where(copy => copy.Member != target), last]);
        return true;
    }

    /// <summary>Copies in sync that there must be beside the next primary when it takes over, since the last one's copy goes.</summary>
    private int WantedBeside(AllocationDraft draft, int i)
    {
        ShardTarget target = _targets![i];
        if (target.Copies.Count == 0)
        {
            return 0;
        }

        int others = draft.Hosts.Count(host => host.Id != draft[i].Primary && host.Id != target.Primary);
        return Math.Min(others, Math.Max(1, options.MinInSync - 1));
    }

    /// <summary>Gives up copies that are too many.</summary>
    private void Drop(AllocationDraft draft, int i, long now)
    {
        ShardAssignment shard = draft[i];
        if (shard.Replicas.Count == 0)
        {
            _tooManySince.Remove(i);
            return;
        }

        int wanted = _targets![i].Copies.Count;
        List<MemberId> goal = Goal(draft, i, out bool moves, out int size);
        bool isReached = !moves && goal.Count == size && goal.TrueForAll(member => shard.CopyOn(member) is { InSync: true });
        isReached = HasWaited(i, shard, isReached && shard.Replicas.Any(copy => copy.InSync && !goal.Contains(copy.Member)), now);
        bool isSafe = shard.Replicas.Count(copy => copy.InSync) >= wanted;
        List<ShardCopy> rest = [.. shard.Replicas
            .Where(copy => copy.IsStale || goal.Contains(copy.Member) || !(copy.InSync ? isReached : isSafe))];
        if (rest.Count < shard.Replicas.Count)
        {
            draft[i] = shard with { Replicas = rest };
        }
    }

    /// <summary>
    /// Whether copies in sync have been too many for a lease. A primary that is there still was alive when they became so; one that was dead by
    /// then, with its lease still lasting, must not be the reason to give up others that have everything.
    /// </summary>
    private bool HasWaited(int i, ShardAssignment shard, bool tooMany, long now)
    {
        if (!tooMany)
        {
            _tooManySince.Remove(i);
            return false;
        }

        if (!_tooManySince.TryGetValue(i, out (uint Term, long SinceWhen) since) || since.Term != shard.Term)
        {
            _tooManySince[i] = since = (shard.Term, now);
        }

        return now - since.SinceWhen >= _patience;
    }

    /// <summary>Adds learners: first to shards without any copy, then to those with too few, then for planned moves.</summary>
    private void Fill(AllocationDraft draft)
    {
        int budget = options.MovesInFlight - draft.CountLearners();
        for (int urgency = 0; urgency < 3; urgency++)
        {
            for (int i = 0; i < draft.ShardCount && budget > 0; i++)
            {
                if (!draft.IsAlive(draft[i].Primary))
                {
                    continue;
                }

                int copies = draft[i].Replicas.Count(copy => !copy.IsStale);
                int wanted = _targets![i].Copies.Count;
                int most = urgency switch
                {
                    0 => copies == 0 && wanted > 0 ? 1 : 0,
                    1 => Math.Max(0, wanted - copies),
                    _ => int.MaxValue,
                };
                if (most > 0)
                {
                    budget -= AddLearners(draft, i, Math.Min(most, budget));
                }
            }
        }
    }

    private int AddLearners(AllocationDraft draft, int i, int most)
    {
        ShardAssignment shard = draft[i];
        List<ShardCopy> added = [.. Goal(draft, i, out _, out _)
            .Where(member => shard.CopyOn(member) is null or { IsStale: true })
            .Take(most)
            .Select(member => new ShardCopy(member, draft.Version, InSync: false))];
        if (added.Count > 0)
        {
            draft[i] = shard with { Replicas = [.. shard.Replicas.Where(copy => !added.Exists(next => next.Member == copy.Member)), .. added] };
        }

        return added.Count;
    }

    /// <summary>Who should have a copy of a shard next: on the way to another primary that one, and enough beside it.</summary>
    private List<MemberId> Goal(AllocationDraft draft, int i, out bool moves, out int size)
    {
        ShardAssignment shard = draft[i];
        ShardTarget target = _targets![i];
        bool stays = target.Primary == shard.Primary;
        moves = !stays && May(target.Primary);
        List<MemberId> goal = [];
        int most = target.Copies.Count;
        if (moves)
        {
            goal.Add(target.Primary);
            most = 1 + WantedBeside(draft, i);
        }

        size = most;
        IEnumerable<MemberId> present = shard.Replicas
            .Where(copy => !copy.IsStale)
            .OrderByDescending(copy => copy.InSync)
            .Select(copy => copy.Member);
        Add(stays ? target.Copies : present);
        Add(stays ? present : target.Copies);
        if (goal.Count < most)
        {
            Add(draft.Hosts.Select(host => host.Id).OrderBy(draft.CopiesOf));
        }

        return goal;

        bool May(MemberId member) => member != shard.Primary && draft.IsAlive(member) && shard.CopyOn(member) switch
        {
            null => !_avoidUntil.ContainsKey((i, member)),

            // To fill it gives up what it has: not while another one is being filled, or may be.
            { IsStale: true } => IsReleased(i, member)
                && !_avoidUntil.ContainsKey((i, member))
                && !shard.Replicas.Any(copy => copy.IsLearner)
                && !draft.Hosts.Any(host => shard.CopyOn(host.Id) is null && May(host.Id)),
            _ => true,
        };

        void Add(IEnumerable<MemberId> candidates)
        {
            foreach (MemberId member in candidates)
            {
                if (goal.Count < most && May(member) && !goal.Contains(member))
                {
                    goal.Add(member);
                }
            }
        }
    }
}
