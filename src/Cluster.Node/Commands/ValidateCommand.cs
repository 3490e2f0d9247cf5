using System.CommandLine;
using Cluster.Node.Configuration;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Commands;

/// <summary><c>actorsampling validate --config F</c>: every finding in a file, and what it would run.</summary>
internal static class ValidateCommand
{
    /// <summary>Builds it.</summary>
    public static Command Create(CommandEnvironment environment)
    {
        Option<string> config = new("--config") { Description = "Configuration file to look at.", HelpName = "FILE", Required = true };
        Command command = new(
            "validate", "Check a configuration file: its errors, what differs from a Collector, and what would run.") { config };
        command.SetAction(parsed =>
            Run(parsed.GetRequiredValue(config), environment, parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error));
        return command;
    }

    private static int Run(string path, CommandEnvironment environment, TextWriter output, TextWriter error)
    {
        if (CommandLine.Open(path, error) is not { } source)
        {
            return CommandLine.Usage;
        }

        ConfigurationErrors errors = new();
        NodeConfiguration? configuration = NodeConfigurationReader.Read(
            source.Yaml, environment.Variable, environment.AvailableMemoryBytes, errors, machine: environment.Machine);
        ConfigurationError[] wrong = [.. errors.All.Where(e => e.Severity == ConfigurationSeverity.Error)];
        ConfigurationError[] warnings = [.. errors.All.Where(e => e.Severity == ConfigurationSeverity.Warning)];
        CommandLine.Print(source, wrong, error);
        output.WriteLine($"{path}: {(wrong.Length == 0 ? "good" : Count(wrong.Length, "error"))}, {Count(warnings.Length, "warning")}");
        if (warnings.Length > 0)
        {
            output.WriteLine();
            output.WriteLine("Import report: what is read but differs from a Collector, or may not be meant so");
            CommandLine.Print(source, warnings, output, "  ");
        }

        if (configuration is not null)
        {
            output.WriteLine();
            output.WriteLine("What will run");
            foreach ((string name, string text) in ConfigurationSummary.Lines(configuration))
            {
                output.WriteLine($"  {name,-9} {text}");
            }
        }

        return configuration is null ? CommandLine.FoundWrong : CommandLine.Good;
    }

    private static string Count(int number, string what) => number == 0 ? $"no {what}s" : Text.Count(number, what);
}
