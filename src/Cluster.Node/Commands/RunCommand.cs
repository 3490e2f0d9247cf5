using System.CommandLine;
using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Commands;

/// <summary><c>actorsampling [run]</c>: starts a node.</summary>
internal static class RunCommand
{
    /// <summary>Adds it as a verb, and as what happens without one.</summary>
    public static void AddTo(RootCommand root, RunNode run, CommandEnvironment environment)
    {
        Option<string?> config = new("--config")
        {
            Description = "Configuration file; without one, OTLP on 127.0.0.1:4317 and :4318, kept traces printed.",
            HelpName = "FILE",
        };
        Option<string?> grpc = Address("--otlp-grpc", "Listen for OTLP/gRPC here instead of where the configuration says.");
        Option<string?> http = Address("--otlp-http", "Listen for OTLP/HTTP here instead of where the configuration says.");
        Option<string?> admin = Address("--admin", "Serve the admin endpoint here instead of where the configuration says.");
        Option<bool> demo = new("--demo") { Description = "Also feed the node a small microservice workload over its own OTLP/HTTP door." };
        Command verb = new("run", "Start a node. The default.");
        foreach (Command command in (Command[])[root, verb])
        {
            command.Add(config);
            command.Add(grpc);
            command.Add(http);
            command.Add(admin);
            command.Add(demo);
            command.SetAction((parsed, cancellationToken) =>
            {
                ListenOverrides listen = new(parsed.GetValue(grpc), parsed.GetValue(http), parsed.GetValue(admin));
                return RunAsync(parsed.GetValue(config), listen, parsed.GetValue(demo), run, environment, parsed.InvocationConfiguration.Error, cancellationToken);
            });
        }

        root.Add(verb);
    }

    private static async Task<int> RunAsync(
        string? path,
        ListenOverrides listen,
        bool demo,
        RunNode run,
        CommandEnvironment environment,
        TextWriter error,
        CancellationToken cancellationToken)
    {
        ConfigurationSource? source = path is null ? ConfigurationSource.Default() : CommandLine.Open(path, error);
        if (source is null)
        {
            return CommandLine.Usage;
        }

        ConfigurationErrors errors = new();
        NodeConfiguration? configuration = NodeConfigurationReader.Read(
            source.Yaml, environment.Variable, environment.AvailableMemoryBytes, errors, listen, environment.FileExists);
        if (configuration is null)
        {
            CommandLine.Print(source, errors.All, error);
            return CommandLine.FoundWrong;
        }

        return await run(configuration with { Demo = demo }, errors.All, cancellationToken);
    }

    /// <summary>An address that cannot be one is a wrong command line, not a wrong file.</summary>
    private static Option<string?> Address(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "HOST:PORT" };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && !HostPort.TryParse(text, out _, out string problem))
            {
                result.AddError($"{name}: {problem}; write an address to listen on as host:port, 127.0.0.1:4317 for example");
            }
        });
        return option;
    }
}
