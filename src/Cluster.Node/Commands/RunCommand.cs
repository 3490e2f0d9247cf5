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
        Option<string?> store = Text("--cluster", "etcd://HOST:PORT[,HOST:PORT...]", "Join the cluster in this etcd; etcds:// for TLS.");
        Option<string?> name = Text("--name", "NAME", "Name of the cluster.");
        Option<string?> advertise = Text("--advertise", "HOST[:PORT]", "Where other nodes of the cluster connect to this one.");
        Option<string?> nodeId = Text("--node-id", "ID", "Name of this node in the cluster; default: the machine's.");
        Option<string?> peer = Address("--peer", "Listen for other nodes here; default: what is advertised, port 4320.");
        Command verb = new("run", "Start a node. The default.");
        Option[] options = [config, grpc, http, admin, demo, store, name, advertise, nodeId, peer];
        foreach (Command command in (Command[])[root, verb])
        {
            foreach (Option option in options)
            {
                command.Add(option);
            }

            command.SetAction((parsed, cancellationToken) =>
            {
                ClusterOverrides cluster = new(
                    parsed.GetValue(store), parsed.GetValue(name), parsed.GetValue(advertise), parsed.GetValue(nodeId), parsed.GetValue(peer));
                CommandLineOverrides given = new(parsed.GetValue(grpc), parsed.GetValue(http), parsed.GetValue(admin), cluster);
                TextWriter error = parsed.InvocationConfiguration.Error;
                return RunAsync(parsed.GetValue(config), given, parsed.GetValue(demo), run, environment, error, cancellationToken);
            });
        }

        root.Add(verb);
    }

    private static async Task<int> RunAsync(
        string? path,
        CommandLineOverrides given,
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
            source.Yaml, environment.Variable, environment.AvailableMemoryBytes, errors, given, environment.Machine);
        if (configuration is null)
        {
            CommandLine.Print(source, errors.All, error);
            return CommandLine.FoundWrong;
        }

        return await run(configuration with { Demo = demo }, errors.All, cancellationToken);
    }

    private static Option<string?> Text(string name, string value, string description) => new(name) { Description = description, HelpName = value };

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
