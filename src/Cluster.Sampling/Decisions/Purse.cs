namespace Cluster.Sampling.Decisions;

/// <summary>A policy's access to the rate budgets while one trace is decided: to look only, or to take as well.</summary>
internal readonly struct Purse(IBudgets budgets, long nowMilliseconds, bool takes)
{
    /// <summary>Whether answers of <see cref="Grants"/> are paid for.</summary>
    public bool Takes => takes;

    /// <summary>The same budgets, to look at only.</summary>
    public Purse Looking => new(budgets, nowMilliseconds, takes: false);

    /// <summary>Whether there is that much now; takes nothing.</summary>
    public bool Has(int budget, long amount) =>
        takes ? budgets.WouldTake(budget, amount, nowMilliseconds) : budgets.CanTake(budget, amount, nowMilliseconds);

    /// <summary>Whether there is that much now; takes it when this purse takes.</summary>
    public bool Grants(int budget, long amount) =>
        takes ? budgets.TryTake(budget, amount, nowMilliseconds) : budgets.CanTake(budget, amount, nowMilliseconds);
}
