using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;

namespace Cluster.Sharding.Tests.Budgets;

public sealed class LeasedBudgetsTests
{
    private static readonly MemberId Coordinator = new("c", 1);

    [Fact]
    public void TryTake_ManyThreads_TakesExactlyTheLease()
    {
        LeasedBudgets budgets = Leased(1000);
        int taken = 0;
        Parallel.For(0, 5000, _ => Interlocked.Add(ref taken, budgets.TryTake(0, 1, 1001) ? 1 : 0));
        Assert.Equal(1000, taken);
        Assert.False(budgets.CanTake(0, 1, 1001));
        Assert.False(budgets.WouldTake(0, 1, 1001));
    }

    [Fact]
    public void Status_EveryBudget_InTheirOrder()
    {
        LeasedBudgets budgets = Leased(10);
        Assert.True(budgets.TryTake(0, 4, 1001));
        Assert.Equal([new BudgetStatus("b", 6, 4, 1)], budgets.Status(1001));
        Assert.Equal(["x", "y", "x"], new LeasedBudgets([new("x", 1, 1), new("y", 1, 1), new("x", 1, 1)]).Status(0).Select(status => status.Policy));
    }

    [Fact]
    public void TryTake_BadArguments_Throws()
    {
        LeasedBudgets budgets = Leased(10);
        Assert.Throws<ArgumentOutOfRangeException>(() => budgets.TryTake(0, -1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => budgets.CanTake(1, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => budgets.WouldTake(-1, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => budgets.AskAgainIn(2, 1, 0));
    }

    private static LeasedBudgets Leased(long units)
    {
        SentBudgetMessages sent = new();
        LeasedBudgets budgets = new([new Budget("b", 1000, 2000)]);
        budgets.Changed(Coordinator, 0);
        Assert.Equal(30, budgets.AskAgainIn(0, units, 1000));
        budgets.Advance(1000, sent);
        Assert.Equal(units, sent.Demand(out ulong id).Wanted);
        BudgetGrant grant = new() { Key = BudgetMessages.Key("b", 1000, 2000), Lease = units };
        budgets.Granted(Coordinator, id, SentBudgetMessages.Bytes(grant), 1001);
        return budgets;
    }
}
