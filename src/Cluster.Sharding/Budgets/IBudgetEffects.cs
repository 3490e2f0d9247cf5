using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Budgets;

/// <summary>
/// What the two sides of the budget protocol want done. Called from inside their methods; must not call back into them: a message to this
/// very node is queued, and handed in later.
/// </summary>
internal interface IBudgetEffects
{
    /// <summary>Sends a message to a member, or loses it. The payload is copied before the call returns.</summary>
    /// <param name="to">Who; may be this node.</param>
    /// <param name="kind"><see cref="PeerMessageKind.BudgetDemand"/> or <see cref="PeerMessageKind.BudgetGrant"/>.</param>
    /// <param name="id">The header's number.</param>
    /// <param name="payload">The payload.</param>
    void Send(MemberId to, PeerMessageKind kind, ulong id, ReadOnlySpan<byte> payload);
}
