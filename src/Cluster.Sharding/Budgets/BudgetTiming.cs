namespace Cluster.Sharding.Budgets;

/// <summary>
/// The times that the promise of the budgets rests on, milliseconds. Every node has the same; they are no settings. Tests set them wrong,
/// to see that it is noticed.
/// </summary>
/// <param name="Hold">How long a node may spend from a lease, by its own clock, from when it sent the demand that the lease answers.</param>
/// <param name="LedgerHold">After how long the ledger, by its own clock, knows that a lease cannot be spent from any more.</param>
/// <param name="Takeover">How long a new coordinator's ledger grants nothing.</param>
/// <remarks>
/// Clocks run at most <see cref="DriftPerMille"/> too fast or too slow, and are read in whole milliseconds. So a node spends until at most
/// (Hold + 1) / 0.99 after it sent its demand, and the ledger, which granted later than that, has waited at least (LedgerHold - 1) / 1.01.
/// LedgerHold must make the second the longer one: (1000 + 1) / 0.99 = 1011.2 and (1030 - 1) / 1.01 = 1018.8.
/// </remarks>
internal sealed record BudgetTiming(long Hold, long LedgerHold, long Takeover)
{
    /// <summary>By how much a clock may be fast or slow.</summary>
    public const int DriftPerMille = 10;

    /// <summary>What is in use.</summary>
    public static BudgetTiming Default { get; } = new(Hold: 1000, LedgerHold: 1030, Takeover: 1030);
}
