namespace Cluster.Simulation.Tests;

/// <summary>Random clusters, workloads and faults; a failing seed says how to see it again.</summary>
public sealed class SeedTests
{
    /// <summary>The same in each run of the tests; long runs take others: <c>./test simulate --seeds 100000</c>.</summary>
    private const ulong Seeds = 500;

    [Fact]
    public void AllCheckers_UnderRandomFaults_FindNothing()
    {
        SeedRun run = new();
        IReadOnlyList<SimResult> failed = run.Run(1, Seeds, seed => SimOptions.Of(seed), stopAfter: 5);
        TestContext.Current.TestOutputHelper?.WriteLine(run.Totals);
        Assert.True(failed.Count == 0, string.Join('\n', failed.Select(Describe)));
    }

    /// <summary>
    /// The store stands still while a primary's report of its only copy is on its way; then the copy has recovered, and the primary is dead.
    /// </summary>
    [Fact]
    public void Seed_WithAReportThatOutlivesItsPrimary_LosesNothing()
    {
        SimResult result = SimResult.Of(SimOptions.Of(858, nodes: 3));
        Assert.True(result.Violation is null, result.Violation);
        Assert.NotEqual(0, result.Facts["stale promotions"]);
    }

    /// <summary>
    /// A store that fails a quarter of all requests takes two leases, one 60 ms after the other: first a primary's, then that of the copy in its place.
    /// </summary>
    [Fact]
    public void Seed_WithTwoLeasesLostOneAfterTheOther_LosesNothing()
    {
        SimResult result = SimResult.Of(SimOptions.Of(7520, nodes: 3));
        Assert.True(result.Violation is null, result.Violation);
        Assert.NotEqual(0, result.Facts["stale promotions"]);
    }

    /// <summary>Late reports again and again, with all that can go wrong besides; hardly ever in the other seeds.</summary>
    [Fact]
    public void Seeds_WithReportsThatOutliveTheirPrimaries_LoseNothing()
    {
        SimResult[] results = [.. Enumerable.Range(1, 40).Select(seed => SimResult.Of(SimOptions.WithLateReports((ulong)seed)))];
        Assert.All(results, result => Assert.True(result.Violation is null, $"seed {result.Options.Seed}: {result.Violation}"));
        Assert.NotEqual(0, results.Sum(result => result.Facts["stale promotions"]));
    }

    [Fact]
    public void Run_OfTheSameSeed_IsTheSameRun()
    {
        SimOptions options = SimOptions.Of(7) with { LogLines = 100_000 };
        SimResult first = SimResult.Of(options);
        SimResult second = SimResult.Of(options);
        Assert.Equal(first.Digest, second.Digest);
        Assert.Equal(first.Log, second.Log);
    }

    /// <summary>What can go wrong does go wrong in the seeds of the tests: a simulation without faults proves little.</summary>
    [Fact]
    public void Seeds_TogetherWithFaults_ComeToMuch()
    {
        SimResult[] results = [.. Enumerable.Range(1, 20).Select(seed => SimResult.Of(SimOptions.Of((ulong)seed)))];
        Assert.All(["acknowledged", "refused", "unanswered", "promotions", "elections", "duplicates"],
            fact => Assert.True(results.Sum(result => result.Facts[fact]) > 0, fact));
    }

    private static string Describe(SimResult failed) => $"seed {failed.Options.Seed}: {failed.Violation}\n  {SimulateCommand.Replay(failed.Options)}";
}
