using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Tests.Decisions;

public sealed class PatientBudgetsTests
{
    [Fact]
    public void AgainIn_RefusedByATokenBucket_IsFinal()
    {
        PatientBudgets budgets = new(new TokenBuckets([new Budget("b", 1, 5)]));
        budgets.Begin();
        Assert.True(budgets.TryTake(0, 5, 0));
        Assert.False(budgets.TryTake(0, 1, 0));
        Assert.False(budgets.WouldTake(0, 1, 0));
        Assert.Equal(0, budgets.AgainIn);
    }

    [Fact]
    public void AgainIn_RefusedTwice_IsTheLongestOfThisDecision()
    {
        Leases leases = new();
        PatientBudgets budgets = new(leases);
        budgets.Begin();
        Assert.False(budgets.TryTake(0, 30, 0));
        Assert.False(budgets.WouldTake(0, 20, 0));
        Assert.Equal(30, budgets.AgainIn);
        budgets.Begin();
        Assert.False(budgets.CanTake(0, 40, 0));
        Assert.Equal(0, budgets.AgainIn);
    }

    /// <summary>A composite that takes says so when it only looks whether there is room; votes for others' decisions do not.</summary>
    [Fact]
    public void Decide_Composite_AsksAsOneThatTakes()
    {
        const string Composite =
            "{name: c, type: composite, composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: all, type: always_sample}]}}";
        Leases leases = new();
        Assert.Equal("-", new TraceTester(TraceTester.Parse($"policies: [{Composite}]").Set) { Budgets = leases }.Spans(3).Decider());
        Assert.Equal(["would 3"], leases.Asked);
        leases.Asked.Clear();
        PolicySet both = TraceTester.Parse($"policies: [{Composite}, {{name: a, type: always_sample}}]").Set;
        Assert.Equal("a", new TraceTester(both) { Budgets = leases }.Spans(3).Decider());
        Assert.Equal(["can 3"], leases.Asked);
    }

    [Fact]
    public void Preview_OfLeases_IsNoDemand()
    {
        Leases leases = new();
        IBudgets preview = new BudgetsPreview(leases);
        Assert.False(preview.TryTake(0, 1, 0));
        Assert.False(preview.WouldTake(0, 2, 0));
        Assert.Equal(0, preview.AskAgainIn(0, 3, 0));
        Assert.Equal(["can 1", "can 2"], leases.Asked);
    }

    /// <summary>Never has anything; asks to wait as many milliseconds as units were asked for.</summary>
    private sealed class Leases : IBudgets
    {
        public List<string> Asked { get; } = [];

        public bool CanTake(int budget, long amount, long nowMilliseconds) => Note("can", amount);

        public bool TryTake(int budget, long amount, long nowMilliseconds) => Note("take", amount);

        public bool WouldTake(int budget, long amount, long nowMilliseconds) => Note("would", amount);

        public int AskAgainIn(int budget, long amount, long nowMilliseconds) => (int)amount;

        private bool Note(string how, long amount)
        {
            Asked.Add($"{how} {amount}");
            return false;
        }
    }
}
