using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Region;

/// <summary>
/// One request's frames on their way to the owners of their shards: who gets which, what is sent again when an owner has changed or a
/// connection was lost, and when the request is answered. A synchronous state machine, used again and again. Used by one thread at a time.
/// <code>
///                 owner known, back-off over
///   waiting ───────────────────────────────► under way ──None, of any attempt──► done
///      ▲   ◄─────────────────────────────────   │ ▲ │
///      │    NotOwner, LeaseEnded, ShuttingDown, │ └─┘ newer allocation with another owner or term: sent again at once
///      │    OwnerUnreachable, connection lost   │
///      │                                        ▼
///      └── deadline, or another frame was ──► done, refused ◄── any other refusal, deadline
///          refused for good
/// </code>
/// </summary>
/// <remarks>
/// Invariants: a frame is done once; the request is complete exactly when all frames are done; its outcome is <see cref="Refusal.None"/>
/// exactly when each was taken; after the first refusal for good nothing more is sent, and what is under way is awaited. Bytes of a frame
/// are the same in every attempt but for the term, so that owners know it again by sender and sequence.
/// A request that is complete at its deadline may have sends without an answer: what was sent without a copy may still be read then.
/// </remarks>
internal sealed class RoutingCore
{
    /// <summary>The first wait after a frame came back, milliseconds; doubled each time, until owner or term change.</summary>
    public const long FirstBackOff = 50;

    /// <summary>The longest wait, milliseconds.</summary>
    public const long LongestBackOff = 1000;

    private const long Never = long.MaxValue;

    private FrameState[] _frames = [];
    private FrameBatch _batch = null!;
    private ShardAllocation _allocation = null!;
    private IRoutingEffects _effects = null!;
    private long _deadline;
    private int _count;
    private int _unanswered;

    private enum Step
    {
        Waiting,
        UnderWay,
        Done,
    }

    /// <summary>Whether every frame was taken or refused for good.</summary>
    public bool IsComplete => _unanswered == 0;

    /// <summary>The answer to the request, once complete: <see cref="Refusal.None"/> when every frame is safe.</summary>
    public Refusal Outcome { get; private set; }

    /// <summary>When <see cref="Advance"/> has something to do next, monotonic milliseconds; <see cref="long.MaxValue"/> when complete.</summary>
    public long WakeAt { get; private set; } = Never;

    /// <summary>Begins a request; the first sends are asked for at once.</summary>
    /// <param name="batch">Its frames; their headers' terms are set anew before each send.</param>
    /// <param name="allocation">Who owns what, as far as is known.</param>
    /// <param name="deadline">Monotonic milliseconds after which frames are refused rather than sent again.</param>
    /// <param name="effects">What it wants done.</param>
    public void Begin(FrameBatch batch, ShardAllocation allocation, long deadline, IRoutingEffects effects)
    {
        _batch = batch;
        _allocation = allocation;
        _effects = effects;
        _deadline = deadline;
        _count = batch.Count;
        _unanswered = batch.Count;
        Outcome = Refusal.None;
        WakeAt = IsComplete ? Never : deadline;
        if (_frames.Length < _count)
        {
            _frames = new FrameState[Math.Max(_count, 16)];
        }

        _frames.AsSpan(0, _count).Clear();
        for (int i = 0; i < _count; i++)
        {
            Send(i);
        }
    }

    /// <summary>An owner answered for a frame, or the shell for it: with <see cref="Refusal.OwnerUnreachable"/> when there is no connection.</summary>
    /// <param name="frame">Its index in the batch.</param>
    /// <param name="attempt">Which of its sends is answered; an answer to an earlier one of <see cref="Refusal.None"/> counts as well.</param>
    /// <param name="refusal">Whether it was taken.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Answered(int frame, int attempt, Refusal refusal, long now)
    {
        if (IsComplete || (uint)frame >= (uint)_count)
        {
            return;
        }

        ref FrameState state = ref _frames[frame];
        if (state.Step == Step.Done || attempt < 1 || attempt > state.Attempts)
        {
            return;
        }

        if (refusal == Refusal.None)
        {
            Finish(frame, Refusal.None);
        }
        else if (state.Step == Step.UnderWay && attempt == state.Attempts)
        {
            state.MayHaveArrived |= refusal != Refusal.OwnerUnreachable;
            if (refusal is Refusal.NotOwner or Refusal.LeaseEnded or Refusal.ShuttingDown or Refusal.OwnerUnreachable)
            {
                TryAgain(frame, now);
            }
            else
            {
                Finish(frame, refusal);
            }
        }
    }

    /// <summary>
    /// The connection to a member, or from it, was lost or made anew: whether it has the frames sent to it, or has answered, is not known.
    /// </summary>
    public void Lost(MemberId peer, long now)
    {
        for (int i = 0; i < _count && !IsComplete; i++)
        {
            ref FrameState state = ref _frames[i];
            if (state.Step == Step.UnderWay && state.Owner == peer)
            {
                state.MayHaveArrived = true;
                TryAgain(i, now);
            }
        }
    }

    /// <summary>There is a newer allocation; an older one is not looked at.</summary>
    public void Apply(ShardAllocation allocation, long now)
    {
        if (IsComplete || allocation.Version <= _allocation.Version)
        {
            return;
        }

        _allocation = allocation;
        Advance(now);
        for (int i = 0; i < _count && Outcome == Refusal.None; i++)
        {
            ref FrameState state = ref _frames[i];
            if (state.Step != Step.Done && Assignment(i) is { } assignment && !state.WasSentTo(assignment))
            {
                state.MayHaveArrived |= state.Step == Step.UnderWay;
                Send(i);
            }
        }
    }

    /// <summary>Time has passed.</summary>
    public void Advance(long now)
    {
        if (now < WakeAt)
        {
            return;
        }

        if (now >= _deadline)
        {
            Expire();
            return;
        }

        WakeAt = _deadline;
        for (int i = 0; i < _count; i++)
        {
            ref FrameState state = ref _frames[i];
            if (state.Step == Step.Waiting && state.RetryAt <= now)
            {
                Send(i);
            }
            else if (state.Step == Step.Waiting)
            {
                WakeAt = Math.Min(WakeAt, state.RetryAt);
            }
        }
    }

    /// <summary>Who owns the shard of a frame; null when nobody does.</summary>
    private ShardAssignment? Assignment(int frame)
    {
        int shard = _batch.Shard(frame);
        return shard < _allocation.ShardCount && _allocation[shard] is { Primary.IsNone: false } assignment ? assignment : null;
    }

    /// <summary>Sends a frame to its owner; without one it waits for an allocation.</summary>
    private void Send(int frame)
    {
        ref FrameState state = ref _frames[frame];
        if (Assignment(frame) is not { } assignment)
        {
            state.Step = Step.Waiting;
            state.RetryAt = Never;
            return;
        }

        if (!state.WasSentTo(assignment))
        {
            (state.Owner, state.Term, state.BackOff) = (assignment.Primary, assignment.Term, FirstBackOff);
        }

        state.Step = Step.UnderWay;
        state.Attempts++;
        _batch.SetTerm(frame, assignment.Term);
        _effects.Send(frame, state.Attempts, assignment.Primary, assignment.Term);
    }

    private void TryAgain(int frame, long now)
    {
        if (Outcome != Refusal.None)
        {
            // The client sends all of it again anyway.
            Finish(frame, Outcome);
            return;
        }

        ref FrameState state = ref _frames[frame];
        state.Step = Step.Waiting;
        state.RetryAt = now + state.BackOff;
        state.BackOff = Math.Min(state.BackOff * 2, LongestBackOff);
        WakeAt = Math.Min(WakeAt, state.RetryAt);
    }

    private void Finish(int frame, Refusal refusal)
    {
        bool isFirstRefusal = refusal != Refusal.None && Outcome == Refusal.None;
        End(frame);
        if (isFirstRefusal)
        {
            Outcome = refusal;
            for (int i = 0; i < _count; i++)
            {
                if (_frames[i].Step == Step.Waiting)
                {
                    End(i);
                }
            }
        }

        if (IsComplete)
        {
            WakeAt = Never;
        }
    }

    private void Expire()
    {
        for (int i = 0; i < _count; i++)
        {
            ref FrameState state = ref _frames[i];
            if (state.Step != Step.Done)
            {
                Finish(i, state.Step == Step.UnderWay || state.MayHaveArrived ? Refusal.DeadlineExceeded : Refusal.OwnerUnreachable);
            }
        }
    }

    private void End(int frame)
    {
        _frames[frame].Step = Step.Done;
        _unanswered--;
    }

    private struct FrameState
    {
        public MemberId Owner;
        public uint Term;
        public Step Step;
        public bool MayHaveArrived;
        public int Attempts;
        public long RetryAt;
        public long BackOff;

        /// <summary>Whether the latest send, if there was one, went to this owner under this term.</summary>
        public readonly bool WasSentTo(ShardAssignment assignment) => Term == assignment.Term && Owner == assignment.Primary;
    }
}

/// <summary>What a <see cref="RoutingCore"/> wants done. Called from inside its methods; must not call back into it.</summary>
internal interface IRoutingEffects
{
    /// <summary>
    /// Sends a frame to its owner, which may be this node. What cannot be sent is answered afterwards: <see cref="Refusal.OwnerUnreachable"/>
    /// when there is no connection, <see cref="Refusal.PeerBusy"/> when as much as may be is on its way already.
    /// </summary>
    /// <param name="frame">Its index in the batch.</param>
    /// <param name="attempt">Counts the sends of this frame, from 1.</param>
    /// <param name="owner">Who.</param>
    /// <param name="term">The owner's term; it is in the frame's header already.</param>
    void Send(int frame, int attempt, MemberId owner, uint term);
}
