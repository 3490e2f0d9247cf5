using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Region;

/// <summary>
/// One request's frames on their way to the owners of their shards: who gets which, what is sent again when an owner has changed or a
/// connection was lost, and when the request is answered. A synchronous state machine, used again and again. Used by one thread at a time.
/// </summary>
internal sealed class RoutingCore
{
    /// <summary>Whether every frame was taken or refused for good.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The answer to the request, once complete: <see cref="Refusal.None"/> when every frame is safe.</summary>
    public Refusal Outcome { get; private set; }

    /// <summary>Begins a request; the first sends are asked for at once.</summary>
    /// <param name="batch">Its frames; their headers' terms are set anew before each send.</param>
    /// <param name="allocation">Who owns what, as far as is known.</param>
    /// <param name="deadline">Monotonic milliseconds after which frames are refused rather than sent again.</param>
    /// <param name="effects">What it wants done.</param>
    public void Begin(FrameBatch batch, ShardAllocation allocation, long deadline, IRoutingEffects effects) =>
        throw new NotImplementedException();

    /// <summary>An owner answered for a frame.</summary>
    /// <param name="frame">Its index in the batch.</param>
    /// <param name="attempt">Which of its sends is answered; an answer to an earlier one of <see cref="Refusal.None"/> counts as well.</param>
    /// <param name="refusal">Whether it was taken.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Answered(int frame, int attempt, Refusal refusal, long now) => throw new NotImplementedException();

    /// <summary>The connection to a member was lost: whether it has the frames sent to it is not known.</summary>
    public void Lost(MemberId peer, long now) => throw new NotImplementedException();

    /// <summary>There is a newer allocation.</summary>
    public void Apply(ShardAllocation allocation, long now) => throw new NotImplementedException();

    /// <summary>Time has passed.</summary>
    public void Advance(long now) => throw new NotImplementedException();
}

/// <summary>What a <see cref="RoutingCore"/> wants done. Called from inside its methods; must not call back into it.</summary>
internal interface IRoutingEffects
{
    /// <summary>Sends a frame to its owner, which may be this node.</summary>
    /// <param name="frame">Its index in the batch.</param>
    /// <param name="attempt">Counts the sends of this frame, from 1.</param>
    /// <param name="owner">Who.</param>
    /// <param name="term">The owner's term.</param>
    void Send(int frame, int attempt, MemberId owner, uint term);
}
