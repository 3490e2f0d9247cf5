using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Tests.Budgets;

/// <summary>The promise itself, told by nothing but who took how much at which true time.</summary>
internal static class BudgetPromise
{
    /// <summary>
    /// How far the worst stretch of time is above <c>rate * t + burst</c>, in millionths of a unit; 0 or less when the promise was kept.
    /// All stretches, exactly: the most that any which ends at a take is above <c>rate * t</c> is the level of a bucket that is filled by
    /// takes and drained by the rate.
    /// </summary>
    public static long Excess(Budget budget, IEnumerable<(long At, long Units)> taken)
    {
        long perMicrosecond = (long)budget.PerSecond;
        long level = 0;
        long last = 0;
        long highest = 0;
        foreach ((long at, long units) in taken.OrderBy(t => t.At))
        {
            level = Math.Max(0, level - (at - last) * perMicrosecond) + units * 1_000_000;
            last = at;
            highest = Math.Max(highest, level);
        }

        return highest - (long)budget.Burst * 1_000_000;
    }

    /// <summary>The same, stretch by stretch.</summary>
    public static long ExcessByPairs(Budget budget, IReadOnlyList<(long At, long Units)> taken)
    {
        long highest = 0;
        for (int from = 0; from < taken.Count; from++)
        {
            long sum = 0;
            for (int to = from; to < taken.Count; to++)
            {
                sum += taken[to].Units * 1_000_000;
                highest = Math.Max(highest, sum - (taken[to].At - taken[from].At) * (long)budget.PerSecond);
            }
        }

        return highest - (long)budget.Burst * 1_000_000;
    }
}
