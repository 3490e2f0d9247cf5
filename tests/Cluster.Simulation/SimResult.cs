using Cluster.Messages.Sharding;
using Cluster.Simulation.Engine;

namespace Cluster.Simulation;

/// <summary>How a run went.</summary>
/// <param name="Options">What was simulated.</param>
/// <param name="Violation">What a checker objects to; null when all is well.</param>
/// <param name="Checker">Which one.</param>
/// <param name="Digest">Equal for equal runs.</param>
/// <param name="Facts">What happened, in numbers.</param>
/// <param name="Log">The latest events, if they were written down.</param>
internal sealed record SimResult(
    SimOptions Options, string? Violation, string? Checker, string Digest, IReadOnlyDictionary<string, long> Facts, IReadOnlyCollection<string> Log)
{
    /// <summary>Runs a simulation.</summary>
    public static SimResult Of(SimOptions options)
    {
        using SimWorld world = new(options);
        string? violation = null;
        string? checker = null;
        try
        {
            world.Run();
        }
        catch (ViolationException e)
        {
            (violation, checker) = (e.Message, e.Checker);
        }
        catch (Exception e)
        {
            // A core must not throw, whatever it is told.
            (violation, checker) = (e.ToString(), "exception");
        }

        Dictionary<string, long> facts = new()
        {
            ["events"] = world.Scheduler.Happened,
            ["milliseconds"] = world.Scheduler.Now / Scheduler.Millisecond,
            ["messages"] = world.Network.Sent,
            ["requests"] = world.Workload.Requests.Count,
            ["acknowledged"] = world.Checks.AcknowledgedFrames,
            ["refused"] = world.Client.Answers.Where(pair => pair.Key != Refusal.None).Sum(pair => pair.Value),
            ["unanswered"] = world.Client.Unanswered,
            ["faults"] = world.Nemesis.Begun.Count,
            ["elections"] = world.Truth.Elections,
            ["promotions"] = world.Truth.Promotions,
            ["stale promotions"] = world.Truth.StalePromotions,
            ["allocations"] = world.Truth.Allocation?.Version ?? 0,
            ["spans"] = world.Sink.Spans,
            ["duplicates"] = world.Sink.Duplicates,
        };
        string digest = string.Join(' ', facts.Select(pair => $"{pair.Key} {pair.Value}"));
        return new SimResult(options, violation, checker, digest, facts, [.. world.Log.Lines]);
    }
}
