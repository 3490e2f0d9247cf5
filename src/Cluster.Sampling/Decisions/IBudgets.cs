namespace Cluster.Sampling.Decisions;

/// <summary>A token bucket that policies draw from.</summary>
/// <param name="Policy">Full name of the policy (or sub-policy) that owns it.</param>
/// <param name="PerSecond">Refill, units a second (spans or bytes).</param>
/// <param name="Burst">Capacity, units; the bucket starts full.</param>
public sealed record Budget(string Policy, double PerSecond, double Burst);

/// <summary>
/// The rate budgets of a policy set, by the index that the set gave them. On one node they are token buckets shared by its worker loops;
/// in a cluster they are leases on cluster-wide ones. Thread-safe.
/// </summary>
public interface IBudgets
{
    /// <summary>Whether <paramref name="amount"/> units could be taken now, taking none.</summary>
    /// <param name="budget">Index into <c>PolicySet.Budgets</c>.</param>
    /// <param name="amount">Units, &gt;= 0.</param>
    /// <param name="nowMilliseconds">Monotonic time.</param>
    bool CanTake(int budget, long amount, long nowMilliseconds);

    /// <summary>Takes <paramref name="amount"/> units, or none when there are not that many.</summary>
    bool TryTake(int budget, long amount, long nowMilliseconds);

    /// <summary>
    /// <see cref="CanTake"/> for a decision that is going to take them if it can: what is leased by demand counts a refusal as demand.
    /// </summary>
    bool WouldTake(int budget, long amount, long nowMilliseconds) => CanTake(budget, amount, nowMilliseconds);

    /// <summary>
    /// Milliseconds after which a decision that was just refused should ask again, since the units are not here but may be elsewhere; 0 when
    /// the refusal is final.
    /// </summary>
    int AskAgainIn(int budget, long amount, long nowMilliseconds) => 0;
}

/// <summary>
/// Budgets to look at: what asks them takes nothing. For votes on traces that are not being decided yet. Thread-safe when
/// <paramref name="budgets"/> are.
/// </summary>
/// <param name="budgets">What is looked at.</param>
public sealed class BudgetsPreview(IBudgets budgets) : IBudgets
{
    /// <inheritdoc/>
    public bool CanTake(int budget, long amount, long nowMilliseconds) => budgets.CanTake(budget, amount, nowMilliseconds);

    /// <summary>Whether it could be taken; it is not.</summary>
    public bool TryTake(int budget, long amount, long nowMilliseconds) => budgets.CanTake(budget, amount, nowMilliseconds);
}

/// <summary>
/// One decider's way to the budgets: remembers whether a decision that was refused units should be made again, a little later. Used by one
/// thread at a time.
/// </summary>
/// <param name="budgets">What is drawn from.</param>
public sealed class PatientBudgets(IBudgets budgets) : IBudgets
{
    /// <summary>
    /// Milliseconds after which the decision made since <see cref="Begin"/> should be made anew if it does not keep the trace; 0 when it is final.
    /// </summary>
    public int AgainIn { get; private set; }

    /// <summary>A decision begins.</summary>
    public void Begin() => AgainIn = 0;

    /// <inheritdoc/>
    public bool CanTake(int budget, long amount, long nowMilliseconds) => budgets.CanTake(budget, amount, nowMilliseconds);

    /// <inheritdoc/>
    public bool TryTake(int budget, long amount, long nowMilliseconds) =>
        budgets.TryTake(budget, amount, nowMilliseconds) || Refused(budget, amount, nowMilliseconds);

    /// <inheritdoc/>
    public bool WouldTake(int budget, long amount, long nowMilliseconds) =>
        budgets.WouldTake(budget, amount, nowMilliseconds) || Refused(budget, amount, nowMilliseconds);

    private bool Refused(int budget, long amount, long nowMilliseconds)
    {
        AgainIn = Math.Max(AgainIn, budgets.AskAgainIn(budget, amount, nowMilliseconds));
        return false;
    }
}
