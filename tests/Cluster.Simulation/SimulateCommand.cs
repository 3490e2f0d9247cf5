using System.Diagnostics;
using System.Globalization;

namespace Cluster.Simulation;

/// <summary>Runs many seeds on all cores, or one with its events.</summary>
internal static class SimulateCommand
{
    private const string Usage = """
        ./test simulate [--seeds N] [--first N] [--nodes N] [--failures N]   many seeds, until so many have failed (1); the first of them is shown
        ./test simulate --seed N [--nodes N] [--lines N]                     one seed, with its last events if it fails
        """;

    /// <summary>Lines of the event log that are shown.</summary>
    private const int DefaultLines = 300;

    /// <summary>Runs the command.</summary>
    /// <returns>0 when nothing failed, 1 when a seed did, 2 when it was not understood.</returns>
    public static int Run(string[] args)
    {
        Dictionary<string, ulong> values = [];
        for (int i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length || args[i] is not ("--seeds" or "--first" or "--nodes" or "--seed" or "--lines" or "--failures")
                || !ulong.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
            {
                Console.Error.WriteLine(Usage);
                return 2;
            }

            values[args[i]] = value;
        }

        int nodes = (int)Math.Min(values.GetValueOrDefault("--nodes"), 7);
        if (values.TryGetValue("--seed", out ulong seed))
        {
            return Show(SimOptions.Of(seed, nodes), values.TryGetValue("--lines", out ulong lines) ? (int)lines : DefaultLines);
        }

        ulong first = values.GetValueOrDefault("--first", 1UL);
        ulong count = values.GetValueOrDefault("--seeds", 1000UL);
        Stopwatch watch = Stopwatch.StartNew();
        SeedRun run = new();
        int failures = (int)values.GetValueOrDefault("--failures", 1UL);
        IReadOnlyList<SimResult> failed = run.Run(first, count, s => SimOptions.Of(s, nodes), failures, done =>
        {
            if (done % 1000 == 0)
            {
                Console.WriteLine($"{done} seeds in {watch.Elapsed.TotalSeconds:F0} s");
            }
        });
        if (failed.Count == 0)
        {
            Console.WriteLine($"{count} seeds from {first} on: all well, in {watch.Elapsed.TotalSeconds:F0} s; {run.Totals}");
            return 0;
        }

        int shown = failed[0].Checker == "hang" ? 1 : Show(failed[0].Options, DefaultLines);
        foreach (SimResult result in failed)
        {
            Console.WriteLine($"{Replay(result.Options)}   {result.Violation?.Split('\n')[0]}");
        }

        return shown;
    }

    /// <summary>The command that runs a seed again.</summary>
    public static string Replay(SimOptions options) => $"./test simulate --seed {options.Seed} --nodes {options.Nodes}";

    private static int Show(SimOptions options, int lines)
    {
        SimResult result = SimResult.Of(options with { LogLines = lines });
        if (result.Violation is null)
        {
            Console.WriteLine($"seed {options.Seed}: all well; {result.Digest}");
            return 0;
        }

        foreach (string line in result.Log)
        {
            Console.WriteLine(line);
        }

        Console.WriteLine($"seed {options.Seed} failed: {result.Violation}");
        Console.WriteLine($"replay: {Replay(options)}");
        return 1;
    }
}
