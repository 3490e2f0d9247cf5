using System.CommandLine;
using Cluster.Node.Configuration;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Node.Commands;

/// <summary>
/// <c>actorsampling policies test --config F --traces T…</c>: what the policies of a file decide about recorded traces, and why.
/// All traces are decided at one instant, in order of first appearance, each with all its spans of all files: rate limits see their whole
/// burst once and nothing more.
/// </summary>
internal static class PoliciesTestCommand
{
    /// <summary>Builds it.</summary>
    public static Command Create(CommandEnvironment environment)
    {
        Option<string> config = new("--config")
        {
            Description = "Configuration file, or a file with only 'policies:' and other keys of tail_sampling.",
            HelpName = "FILE",
            Required = true,
        };
        Option<string[]> traces = new("--traces")
        {
            Description = "Files of recorded traces: OTLP/JSON (one document, or one a line) or OTLP protobuf.",
            HelpName = "FILE",
            Required = true,
            AllowMultipleArgumentsPerToken = true,
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string> output = new("--output") { Description = "A table, or one JSON object a trace.", DefaultValueFactory = _ => "text" };
        output.AcceptOnlyFromAmong("text", "jsonl");
        Option<bool> explain = new("--explain") { Description = "In text, also print every policy's vote and its reason." };
        Command command = new("test", "Decide recorded traces by the policies of a file, without a node.")
        {
            config, traces, output, explain,
        };
        command.SetAction(parsed =>
        {
            VerdictWriter writer = parsed.GetValue(output) == "jsonl"
                ? new JsonVerdictWriter(parsed.InvocationConfiguration.Output)
                : new TextVerdictWriter(parsed.InvocationConfiguration.Output, parsed.GetValue(explain));
            return Run(
                parsed.GetRequiredValue(config),
                parsed.GetRequiredValue(traces),
                environment,
                writer,
                parsed.InvocationConfiguration.Error);
        });
        return command;
    }

    private static int Run(string configPath, string[] tracePaths, CommandEnvironment environment, VerdictWriter writer, TextWriter error)
    {
        if (CommandLine.Open(configPath, error) is not { } source)
        {
            return CommandLine.Usage;
        }

        ConfigurationErrors errors = new();
        PoliciesFile? file = PoliciesFile.Read(source.Yaml, environment, errors);
        CommandLine.Print(source, errors.All.Where(e => e.Severity == ConfigurationSeverity.Error), error);
        if (file is null)
        {
            return CommandLine.FoundWrong;
        }

        PolicyProgram program = file.Policies.CreateProgram();
        TraceCollection traces = new(program);
        foreach (string path in tracePaths)
        {
            try
            {
                if (TraceFile.Read(path, traces) is { } problem)
                {
                    error.WriteLine(problem);
                    return CommandLine.FoundWrong;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                error.WriteLine($"{path}: cannot be read: {e.Message}");
                return CommandLine.Usage;
            }
        }

        Decide(file, program, traces, writer);
        PrintPassedOver(traces, error);
        return CommandLine.Good;
    }

    private static void Decide(PoliciesFile file, PolicyProgram program, TraceCollection traces, VerdictWriter writer)
    {
        TokenBuckets budgets = new(file.Policies.Budgets);
        Vote[] votes = new Vote[file.Policies.Policies.Count];
        foreach (CollectedTrace trace in traces.Traces)
        {
            if (file.MaximumTraceSizeBytes > 0 && trace.Bytes > file.MaximumTraceSizeBytes)
            {
                string reason = $"trace of {trace.Bytes} bytes > maximum_trace_size_bytes {file.MaximumTraceSizeBytes}";
                writer.Write(
                    trace,
                    new Verdict(Decision.NotSampled, -1),
                    [.. file.Policies.Policies.Select(p => new PolicyVote(p.Name, p.Type, Vote.NotEvaluated, reason))]);
                continue;
            }

            TraceEvidence evidence = trace.Evidence;
            Verdict verdict = program.Decide(evidence, budgets, nowMilliseconds: 0, votes);
            writer.Write(trace, verdict, program.Explain(evidence, votes));
        }

        writer.End();
    }

    private static void PrintPassedOver(TraceCollection traces, TextWriter error)
    {
        if (traces.InvalidSpans > 0)
        {
            error.WriteLine($"passed over, for an invalid trace or span ID: {Text.Count(traces.InvalidSpans, "span")}");
        }

        if (traces.RepeatedSpans > 0)
        {
            error.WriteLine($"counted once, being there several times: {Text.Count(traces.RepeatedSpans, "span")}");
        }
    }
}
