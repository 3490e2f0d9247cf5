using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;

namespace Cluster.Sharding.Tests.Budgets;

/// <summary>
/// What may be granted is really used: at least nine tenths of what a single node's token bucket takes of the very same traces. Nothing
/// fails here; clocks are up to 1 % off, and messages take up to 2 ms.
/// </summary>
public sealed class BudgetUseTests
{
    private const double Warmup = 20;
    private const double Measured = 120;

    [Theory]
    [InlineData(5, 10, 3, 0.8)]
    [InlineData(5, 10, 3, 1.3)]
    [InlineData(5, 10, 3, 2)]
    [InlineData(5, 10, 3, 10)]
    [InlineData(5, 10, 3, 100)]
    [InlineData(5, 10, 7, 3)]
    [InlineData(10, 10, 3, 3)]
    [InlineData(50, 100, 3, 0.5)]
    [InlineData(50, 100, 3, 0.9)]
    [InlineData(50, 100, 3, 2)]
    [InlineData(1000, 2000, 3, 0.9)]
    [InlineData(1000, 2000, 5, 2)]
    [InlineData(1000, 200, 3, 2)]
    [InlineData(1000, 1000, 3, 10)]
    public void Use_EqualDemandOnAllNodes_IsThatOfASingleNode(long rate, long burst, int nodes, double demand)
    {
        BudgetCluster cluster = new(1, [new Budget("b", rate, burst)], nodes);
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = rate * demand / nodes / 6.5;
        }

        AssertUsed(cluster, atLeastOfRate: demand >= 10 ? 0.95 : 0);
    }

    [Theory]
    [InlineData(5, 10)]
    [InlineData(1000, 1000)]
    public void Use_DemandOnOneNode_IsThatOfASingleNode(long rate, long burst)
    {
        for (int busy = 0; busy < 3; busy++)
        {
            BudgetCluster cluster = new(2, [new Budget("b", rate, burst)], nodes: 3);
            cluster.Nodes[busy].TracesPerSecond = rate * 5 / 6.5;
            AssertUsed(cluster, atLeastOfRate: 0.9);
        }
    }

    [Theory]
    [InlineData(5, 10)]
    [InlineData(200, 200)]
    public void Use_DemandMovesFromNodeToNode_IsThatOfASingleNode(long rate, long burst)
    {
        BudgetCluster cluster = new(3, [new Budget("b", rate, burst)], nodes: 3);
        Move(0);
        AssertUsed(cluster, atLeastOfRate: 0.9);

        void Move(int to)
        {
            foreach (BudgetNode node in cluster.Nodes)
            {
                node.TracesPerSecond = node == cluster.Nodes[to] ? rate * 5 / 6.5 : 0;
            }

            cluster.At(2000, () => Move((to + 1) % 3));
        }
    }

    [Fact]
    public void Use_BytesOfLargeTraces_IsThatOfASingleNode()
    {
        BudgetCluster cluster = new(4, [new Budget("b", 1_000_000, 2_000_000)], nodes: 3);
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = 3;
            node.Size = random => random.NextInt64(100_000, 800_000);
        }

        AssertUsed(cluster, atLeastOfRate: 0.9);
    }

    /// <summary>A trace as large as the whole burst passes when nothing else was taken for long enough, as on a single node.</summary>
    [Fact]
    public void Use_TraceOfTheWholeBurst_Passes()
    {
        BudgetCluster cluster = new(5, [new Budget("b", 10, 20)], nodes: 3);
        cluster.Run(10);
        cluster.Nodes[1].TracesPerSecond = 0.1;
        cluster.Nodes[1].Size = _ => 20;
        cluster.Run(60);
        Assert.InRange(cluster.Taken[0].Count, 3, 12);
        Assert.All(cluster.Taken[0], take => Assert.Equal(20, take.Units));
    }

    /// <summary>Two budgets for each trace, the share's and the total's, asked in one decision by the real policy.</summary>
    [Theory]
    [InlineData(20)]
    [InlineData(500)]
    public void Use_Composite_IsThatOfASingleNode(long total)
    {
        PolicySet set = Compile($$"""
            policies:
              - name: c
                type: composite
                composite:
                  max_total_spans_per_second: {{total}}
                  policy_order: [large, all]
                  composite_sub_policy:
                    - { name: large, type: span_count, span_count: { min_spans: 7 } }
                    - { name: all, type: always_sample }
                  rate_allocation: [{ policy: large, percent: 60 }, { policy: all, percent: 40 }]
            """);
        Assert.Equal(3, set.Budgets.Count);
        PolicyProgram program = set.CreateProgram();
        BudgetCluster cluster = new(6, set.Budgets, nodes: 3) { Decide = Decide };
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = total / 6.5;
        }

        AssertUsed(cluster, atLeastOfRate: 0);

        bool Decide(IBudgets budgets, long size, long now)
        {
            Vote[] votes = new Vote[1];
            TraceEvidence evidence = new() { SpanCount = (int)size, Conditions = new ulong[set.ConditionWords] };
            return program.Decide(evidence, budgets, now, votes).Decision == Decision.Sampled;
        }
    }

    /// <summary>The coordinator dies: once its lease is over and its successor has waited, everything is as before.</summary>
    [Fact]
    public void Use_CoordinatorDies_IsBackAfterTakeover()
    {
        BudgetCluster cluster = new(7, [new Budget("b", 1000, 2000)], nodes: 4);
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = 150;
        }

        cluster.Run(20);
        cluster.Nodes.Find(node => node.Id == cluster.Coordinator)!.Crash();
        cluster.Run(4);
        long before = cluster.Total();
        cluster.Run(30);
        Assert.InRange(cluster.Total() - before, 30_000 * 0.95, 30_000 + 2000);
    }

    /// <summary>A node joins and one leaves every few seconds, while the coordinator stays: the rate is used all the time.</summary>
    [Fact]
    public void Use_MembersComeAndGo_StaysUp()
    {
        BudgetCluster cluster = new(8, [new Budget("b", 300, 600)], nodes: 5);
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = 100;
        }

        cluster.Run(20);
        long before = cluster.Total();
        for (int round = 0; round < 20; round++)
        {
            BudgetNode node = cluster.Nodes.Find(n => n.Id != cluster.Coordinator && !n.IsGone)!;
            if (round % 2 == 0)
            {
                node.Crash();
            }
            else
            {
                node.Leave();
            }

            cluster.Run(1.5);
            node.Start();
            cluster.Run(1.5);
        }

        Assert.InRange(cluster.Total() - before, 60 * 300 * 0.95, 60 * 300 + 600);
    }

    [Fact]
    public void Use_SameDemandOnAllNodes_IsSharedEvenly()
    {
        BudgetCluster cluster = new(9, [new Budget("b", 300, 600)], nodes: 3);
        long[] taken = new long[3];
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = 100;
        }

        cluster.Run(Warmup);
        long[] before = [.. cluster.Nodes.Select(node => node.Taken)];
        cluster.Run(Measured);
        for (int i = 0; i < taken.Length; i++)
        {
            Assert.InRange(cluster.Nodes[i].Taken - before[i], 100 * Measured * 0.8, 100 * Measured * 1.2);
        }
    }

    /// <summary>Messages are bounded however many decisions there are.</summary>
    [Fact]
    public void Messages_UnderHeavyDemand_AreFew()
    {
        BudgetCluster cluster = new(10, [new Budget("b", 1000, 2000)], nodes: 3);
        foreach (BudgetNode node in cluster.Nodes)
        {
            node.TracesPerSecond = 900;
        }

        cluster.Run(Warmup);
        int before = cluster.Messages;
        cluster.Run(10);
        Assert.InRange(cluster.Messages - before, 10, 10 * 2 * 3 * 1000 / 20);
    }

    private static PolicySet Compile(string yaml)
    {
        ConfigurationErrors errors = new();
        PolicySet? set = PolicyCompiler.Parse(yaml, errors);
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        return set!;
    }

    private static void AssertUsed(BudgetCluster cluster, double atLeastOfRate)
    {
        cluster.Run(Warmup + Measured);
        TokenBuckets single = new(cluster.Budgets);
        Recorder recorder = new(single, cluster.Budgets.Count);
        foreach ((long at, long size) in cluster.Came.OrderBy(c => c.At))
        {
            recorder.Counts = at >= Warmup * 1e6;
            cluster.Decide(recorder, size, at / 1000);
        }

        for (int i = 0; i < cluster.Budgets.Count; i++)
        {
            double used = cluster.Taken[i].Where(t => t.At >= Warmup * 1e6).Sum(t => t.Units);
            double rate = cluster.Budgets[i].PerSecond * Measured;
            string figures = $"{cluster.Budgets[i].Policy}: used {used / rate:0.000} of the rate, a single node {recorder.Taken[i] / rate:0.000}, "
                + $"{cluster.Messages / (Warmup + Measured):0} messages/s";
            TestContext.Current.TestOutputHelper?.WriteLine(figures);
            Assert.True(used >= 0.9 * recorder.Taken[i] && used >= atLeastOfRate * rate, figures);
            Assert.True(BudgetPromise.Excess(cluster.Budgets[i], cluster.Taken[i]) <= 0, figures);
        }
    }

    private sealed class Recorder(IBudgets budgets, int count) : IBudgets
    {
        public bool Counts { get; set; }

        public long[] Taken { get; } = new long[count];

        public bool CanTake(int budget, long amount, long nowMilliseconds) => budgets.CanTake(budget, amount, nowMilliseconds);

        public bool TryTake(int budget, long amount, long nowMilliseconds)
        {
            bool isTaken = budgets.TryTake(budget, amount, nowMilliseconds);
            Taken[budget] += isTaken && Counts ? amount : 0;
            return isTaken;
        }
    }
}
