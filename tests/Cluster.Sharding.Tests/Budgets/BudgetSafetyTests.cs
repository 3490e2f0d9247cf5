using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;

namespace Cluster.Sharding.Tests.Budgets;

public sealed class BudgetSafetyTests
{
    private const int Seeds = 600;

    /// <summary>Everything goes wrong at once, and no stretch of time sees more than the rate allows, to the unit.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Cluster_UnderFaults_NeverTakesMoreThanRateAndBurst(int part)
    {
        long total = 0;
        for (int seed = part; seed < Seeds; seed += 4)
        {
            BudgetCluster cluster = Run(seed, BudgetTiming.Default);
            for (int i = 0; i < cluster.Budgets.Count; i++)
            {
                long excess = BudgetPromise.Excess(cluster.Budgets[i], cluster.Taken[i]);
                Assert.True(excess <= 0, $"seed {seed}: {cluster.Budgets[i]} exceeded by {excess / 1e6} units");
                total += cluster.Taken[i].Count;
            }
        }

        Assert.True(total > 10_000, $"only {total} takes");
    }

    /// <summary>The ledger forgets what is leased: tokens refill while nodes hold them.</summary>
    [Fact]
    public void Mutant_LedgerForgetsLeases_IsCaught() => AssertCaught(BudgetTiming.Default with { LedgerHold = 1 });

    /// <summary>A new coordinator begins with full buckets, as a single node does.</summary>
    [Fact]
    public void Mutant_NewLedgerIsFull_IsCaught() => AssertCaught(BudgetTiming.Default with { Takeover = -1_000_000_000 });

    /// <summary>A coordinator that was cut off goes on granting beside its successor.</summary>
    [Fact]
    public void Mutant_CoordinatorIgnoresItsLease_IsCaught() => AssertCaught(BudgetTiming.Default, ignoresAuthority: true);

    [Fact]
    public void Excess_OfRandomTakes_IsThatOfTheWorstPair()
    {
        Random random = new(5);
        for (int round = 0; round < 200; round++)
        {
            Budget budget = new("b", random.Next(1, 50), random.Next(1, 30));
            List<(long, long)> taken = [];
            for (long at = random.Next(1000); taken.Count < 60; at += random.Next(200_000))
            {
                taken.Add((at, random.Next(1, 9)));
            }

            Assert.Equal(BudgetPromise.ExcessByPairs(budget, taken), BudgetPromise.Excess(budget, taken));
        }
    }

    private static void AssertCaught(BudgetTiming timing, bool ignoresAuthority = false)
    {
        for (int seed = 0; seed < Seeds; seed++)
        {
            BudgetCluster cluster = Run(seed, timing, ignoresAuthority);
            for (int i = 0; i < cluster.Budgets.Count; i++)
            {
                if (BudgetPromise.Excess(cluster.Budgets[i], cluster.Taken[i]) > 0)
                {
                    TestContext.Current.TestOutputHelper?.WriteLine($"caught by seed {seed}");
                    return;
                }
            }
        }

        Assert.Fail($"not caught by {Seeds} seeds");
    }

    private static BudgetCluster Run(int seed, BudgetTiming timing, bool ignoresAuthority = false)
    {
        Random random = new(seed ^ 0x5EED);
        long[] rates = [1, 5, 40, 300, 1000, 20_000];
        Budget[] budgets = [.. Enumerable.Range(0, 2).Select(i =>
        {
            long rate = rates[random.Next(rates.Length)];
            long burst = random.Next(4) switch { 0 => rate, 1 => 2 * rate, 2 => 1 + rate / 5, _ => 1 + random.NextInt64(4 * rate) };
            return new Budget($"b{i}", rate, burst);
        })];
        BudgetCluster cluster = new(seed, budgets, nodes: random.Next(2, 6), timing)
        {
            Loss = random.Next(2) * 0.1 * random.NextDouble(),
            Duplication = random.Next(2) * 0.2 * random.NextDouble(),
            Lateness = random.Next(2) * 0.2 * random.NextDouble(),
            IgnoresAuthority = ignoresAuthority,
            Decide = (all, size, now) =>
            {
                int budget = (int)(size & 1);
                return all.TryTake(budget, Math.Max(1, (long)(budgets[budget].Burst * (size >> 1) / 1e6)), now);
            },
        };
        foreach (BudgetNode node in cluster.Nodes)
        {
            // In millionths of the burst; the last bit says which budget.
            long most = random.Next(3) switch { 0 => 20_000, 1 => 200_000, _ => 700_000 };
            node.Size = r => (r.Next(20) == 0 ? r.NextInt64(2_100_000) : r.NextInt64(2 * most)) & ~1L | (uint)r.Next(2);
            Disturb(cluster, node, random);
        }

        cluster.Run(25);
        return cluster;
    }

    /// <summary>Demand that comes and goes, pauses, cuts, crashes, leaves, restarts; more of them for the coordinator.</summary>
    private static void Disturb(BudgetCluster cluster, BudgetNode node, Random random)
    {
        node.TracesPerSecond = random.Next(3) == 0 ? 0 : random.Next(2) == 0 ? 10 : 150 * random.NextDouble();
        cluster.At(random.Next(200, 3000), () =>
        {
            bool leads = node.Id == cluster.Coordinator;
            switch (random.Next(leads ? 6 : 14))
            {
                case 0 or 1:
                    node.Pause(random.Next(4000));
                    break;
                case 2:
                    node.IsCutOff = true;
                    cluster.At(random.Next(200, 6000), () => node.IsCutOff = false);
                    break;
                case 3 or 4 when !node.IsGone:
                    if (random.Next(2) == 0)
                    {
                        node.Leave();
                    }
                    else
                    {
                        node.Crash();
                    }

                    cluster.At(random.Next(5000), () =>
                    {
                        if (node.IsGone)
                        {
                            node.Start();
                        }
                    });
                    break;
            }

            Disturb(cluster, node, random);
        });
    }
}
