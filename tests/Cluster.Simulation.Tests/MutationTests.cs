using Cluster.Simulation.Faults;

namespace Cluster.Simulation.Tests;

/// <summary>The checkers bite: each deliberate fault of the protocol is noticed within a thousand seeds.</summary>
public sealed class MutationTests
{
    private const ulong MostSeeds = 1000;

    public static TheoryData<Mutation> Mutations() => [.. Enum.GetValues<Mutation>().Where(mutation => mutation != Mutation.None)];

    [Theory]
    [MemberData(nameof(Mutations))]
    public void Mutation_OfTheProtocol_IsCaught(Mutation mutation)
    {
        // The usual faults need some thousands of seeds for it.
        Func<ulong, SimOptions> options = mutation == Mutation.DropTheLastCopy ? SimOptions.WithLateReports : seed => SimOptions.Of(seed);
        IReadOnlyList<SimResult> caught = new SeedRun().Run(1, MostSeeds, seed => options(seed) with { Mutation = mutation }, stopAfter: 1);
        Assert.True(caught.Count > 0, $"{mutation} was not noticed in {MostSeeds} seeds");
        TestContext.Current.TestOutputHelper?.WriteLine($"{mutation}: seed {caught[0].Options.Seed}, {caught[0].Violation}");
        Assert.NotEqual("exception", caught[0].Checker);
    }
}
