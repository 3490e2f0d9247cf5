using Cluster.Messages.Sharding;
using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Budgets;

/// <summary>
/// The budgets of a node in a cluster: leases on cluster-wide ones (<see cref="BudgetLeaseCore"/>) behind one lock. Decisions ask it at most a
/// few times a trace; nothing waits inside. Thread-safe.
/// </summary>
/// <param name="budgets"><c>PolicySet.Budgets</c>.</param>
public sealed class LeasedBudgets(IReadOnlyList<Budget> budgets) : IBudgets
{
    private readonly Lock _lock = new();
    private readonly BudgetLeaseCore _core = new(budgets, BudgetTiming.Default);

    /// <inheritdoc/>
    public bool CanTake(int budget, long amount, long nowMilliseconds)
    {
        Check(budget, amount);
        lock (_lock)
        {
            return _core.Holds(budget, amount, nowMilliseconds);
        }
    }

    /// <inheritdoc/>
    public bool TryTake(int budget, long amount, long nowMilliseconds)
    {
        Check(budget, amount);
        lock (_lock)
        {
            return _core.Take(budget, amount, nowMilliseconds);
        }
    }

    /// <inheritdoc/>
    public bool WouldTake(int budget, long amount, long nowMilliseconds)
    {
        Check(budget, amount);
        lock (_lock)
        {
            return _core.Wants(budget, amount, nowMilliseconds);
        }
    }

    /// <inheritdoc/>
    public int AskAgainIn(int budget, long amount, long nowMilliseconds)
    {
        Check(budget, amount);
        lock (_lock)
        {
            return _core.AskAgainIn(budget, amount, nowMilliseconds);
        }
    }

    /// <summary>What this node has of each budget, in their order.</summary>
    internal IReadOnlyList<BudgetStatus> Status(long now)
    {
        lock (_lock)
        {
            return [.. budgets.Select((budget, i) => _core.Status(i, budget.Policy, now))];
        }
    }

    /// <inheritdoc cref="BudgetLeaseCore.Changed"/>
    internal void Changed(MemberId coordinator, long now)
    {
        lock (_lock)
        {
            _core.Changed(coordinator, now);
        }
    }

    /// <inheritdoc cref="BudgetLeaseCore.Advance"/>
    internal void Advance(long now, IBudgetEffects effects)
    {
        lock (_lock)
        {
            _core.Advance(now, effects);
        }
    }

    /// <inheritdoc cref="BudgetLeaseCore.Granted"/>
    internal void Granted(MemberId from, ulong id, ReadOnlySpan<byte> payload, long now)
    {
        lock (_lock)
        {
            _core.Granted(from, id, payload, now);
        }
    }

    private void Check(int budget, long amount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(amount);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)budget, (uint)budgets.Count, nameof(budget));
    }
}
