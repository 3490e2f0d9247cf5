using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// One policy, compiled. Immutable and without state: what it asks of spans is in its condition bits, what it spends is in the budgets.
/// Its file reads its configuration, says how it votes and says why.
/// </summary>
internal abstract class Policy
{
    /// <summary>Configured name.</summary>
    public required string Name { get; init; }

    /// <summary>Configured type.</summary>
    public required string Type { get; init; }

    /// <summary>Whether its vote may depend on a rate budget.</summary>
    public virtual bool DrawsBudget => false;

    /// <summary>Whether it wants the trace kept (a <c>drop</c> policy: gone). Allocates nothing.</summary>
    public abstract bool Matches(in TraceEvidence trace, in Purse purse);

    /// <summary>Why it voted so, with the numbers.</summary>
    /// <param name="trace">What it voted on.</param>
    /// <param name="matched">Its vote.</param>
    public abstract string Reason(in TraceEvidence trace, bool matched);
}
