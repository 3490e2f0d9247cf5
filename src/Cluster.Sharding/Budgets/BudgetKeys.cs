using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Budgets;

/// <summary>The names of a policy set's budgets on the wire.</summary>
internal static class BudgetKeys
{
    /// <summary>One key a budget, no two the same, equal on all nodes with the same policies.</summary>
    public static ulong[] Of(IReadOnlyList<Budget> budgets)
    {
        HashSet<ulong> seen = [];
        ulong[] keys = new ulong[budgets.Count];
        for (int i = 0; i < keys.Length; i++)
        {
            int ordinal = 0;
            do
            {
                keys[i] = BudgetMessages.Key(budgets[i].Policy, budgets[i].PerSecond, budgets[i].Burst, ordinal++);
            }
            while (!seen.Add(keys[i]));
        }

        return keys;
    }
}
