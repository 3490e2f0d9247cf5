namespace Cluster.Sharding.Budgets;

/// <summary>What a node has, and has had, of one of the cluster's budgets.</summary>
/// <param name="Policy">Full name of the policy, or sub-policy, that owns it. The share that a composite policy gives one has the same name as that one.</param>
/// <param name="Leased">Units that decisions here can take now.</param>
/// <param name="Taken">Units that decisions here took since start.</param>
/// <param name="Shortages">Times since start that a decision found too few units here while the cluster was thought to have more.</param>
public sealed record BudgetStatus(string Policy, long Leased, long Taken, long Shortages);
