using Cluster.Simulation.Engine;
using Cluster.Simulation.Faults;

namespace Cluster.Simulation.Tests;

/// <summary>
/// One thing goes wrong at a set time, to one part of the cluster: the failure tables of <c>docs/protocols/failures.md</c>, each cell by its name.
/// Four
/// nodes hold shards, a fifth is a gateway only; all checkers are on.
/// </summary>
public sealed class ScenarioTests
{
    private const long Fault = 9 * Scheduler.Second;

    /// <summary>What must be seen besides that nothing is lost: one of these at least, or nothing.</summary>
    public static TheoryData<string, string, string> Table() => new()
    {
        { "Coordinator", "Dies", "elections" },
        { "Coordinator", "Pauses", "elections" },
        { "Coordinator", "IsCutOff", "elections" },
        { "Coordinator", "IsSlow", "" },
        { "Primary", "Dies", "promotions" },
        { "Primary", "Pauses", "promotions" },
        { "Primary", "IsCutOff", "promotions" },
        { "Primary", "IsSlow", "" },
        { "Copy", "Dies", "allocations" },
        { "Copy", "Pauses", "allocations" },
        { "Copy", "IsCutOff", "allocations" },
        { "Copy", "IsSlow", "" },
        { "Learner", "Dies", "unanswered" },
        { "Learner", "Pauses", "unanswered" },
        { "Learner", "IsCutOff", "refused" },
        { "Learner", "IsSlow", "" },
        { "Gateway", "Dies", "unanswered" },
        { "Gateway", "Pauses", "unanswered" },
        { "Gateway", "IsCutOff", "refused" },
        { "Gateway", "IsSlow", "" },
        { "Store", "Dies", "refused" },
        { "Store", "Pauses", "refused" },
        { "Store", "IsCutOff", "refused" },
        { "Store", "IsSlow", "" },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Part_GoesWrong_NothingIsLost(string part, string what, string seen)
    {
        SimOptions options = Options(part, what);
        SimResult calm = SimResult.Of(options with { Faults = [] });
        SimResult result = SimResult.Of(options);
        TestContext.Current.TestOutputHelper?.WriteLine($"{part} {what}: {result.Digest}");
        Assert.True(result.Violation is null, result.Violation);
        Assert.Equal(1, result.Facts["faults"]);
        if (seen.Length > 0)
        {
            Assert.True(result.Facts[seen] > calm.Facts[seen], $"{seen}: {result.Facts[seen]}, without the fault {calm.Facts[seen]}");
        }
    }

    /// <summary>
    /// A primary reports its only copy as suspect, the copy recovers, the primary dies, and then the report reaches the store: the copy is taken off for a
    /// primary that is gone. It is the only one that has everything, and nobody but it may be the next primary.
    /// </summary>
    [Fact]
    public void Primary_DiesWithAReportOnItsWay_ItsStaleCopyTakesOver()
    {
        SimOptions options = Options("Primary", "Dies") with
        {
            Traces = 400,
            Faults =
            [
                new Fault(FaultKind.LateReports, Fault, 5 * Scheduler.Second, Amount: 6 * Scheduler.Second, Target: FaultTarget.Primary),
                new Fault(FaultKind.CutIncoming, Fault, 3 * Scheduler.Second, Target: FaultTarget.Copy),
                new Fault(FaultKind.Crash, Fault + 7 * Scheduler.Second, 8 * Scheduler.Second, Target: FaultTarget.Primary),
            ],
        };
        SimResult result = SimResult.Of(options);
        TestContext.Current.TestOutputHelper?.WriteLine(result.Digest);
        Assert.True(result.Violation is null, result.Violation);
        Assert.Equal(3, result.Facts["faults"]);
        Assert.NotEqual(0, result.Facts["stale promotions"]);
    }

    private static SimOptions Options(string part, string what)
    {
        SimOptions options = new()
        {
            Seed = 1,
            Nodes = 5,
            GatewayOnly = 1,
            Shards = 8,
            Traces = 150,
            FaultsEnd = 45 * Scheduler.Second,
            End = 120 * Scheduler.Second,
        };
        if (part == "Store")
        {
            FaultKind kind = what switch
            {
                "Dies" => FaultKind.LoseLeases,
                "IsSlow" => FaultKind.SlowStore,
                _ => FaultKind.StopStore,
            };
            long length = what == "Pauses" ? 30 : 10;
            return options with { Faults = [new Fault(kind, Fault, length * Scheduler.Second, Amount: 300 * Scheduler.Millisecond)] };
        }

        FaultKind fault = what switch
        {
            "Dies" => FaultKind.Crash,
            "Pauses" => FaultKind.Pause,
            "IsCutOff" => FaultKind.Isolate,
            _ => FaultKind.SlowNode,
        };
        FaultTarget target = part switch
        {
            "Coordinator" => FaultTarget.Coordinator,
            "Primary" => FaultTarget.Primary,
            "Copy" => FaultTarget.Copy,
            "Learner" => FaultTarget.Learner,
            _ => FaultTarget.Node,
        };

        // Learners are there when a node joins late: the first one.
        options = part == "Learner" ? options with { FirstNodeStarts = Fault } : options;
        long seconds = what == "Pauses" ? 30 : 8;
        return options with
        {
            Faults = [new Fault(fault, Fault, seconds * Scheduler.Second, Node: 4, Amount: 300 * Scheduler.Millisecond, Target: target)],
        };
    }
}
