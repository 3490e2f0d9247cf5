using System.CommandLine;
using System.CommandLine.Invocation;
using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Commands;

/// <summary>Starts a node and returns the process's exit code when it has ended.</summary>
/// <param name="configuration">What to run.</param>
/// <param name="warnings">What the file's writer should know; nothing was printed yet.</param>
/// <param name="cancellationToken">Cancelled when the caller of <see cref="CommandLine.InvokeAsync"/> wants it to end. Signals are not
/// watched here.</param>
public delegate Task<int> RunNode(
    NodeConfiguration configuration, IReadOnlyList<ConfigurationError> warnings, CancellationToken cancellationToken);

/// <summary>What commands see of the machine.</summary>
public sealed record CommandEnvironment
{
    /// <summary>The value of an environment variable; null when it is not set.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>Memory that the process may use, in bytes.</summary>
    public long AvailableMemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Its name, address and files.</summary>
    public LocalMachine Machine { get; init; } = LocalMachine.Current;

    /// <summary>Makes what carries requests to a node's admin endpoint.</summary>
    public Func<HttpMessageHandler> Http { get; init; } = () => new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) };
}

/// <summary>The command line <c>actorsampling</c>: <c>run</c> (also without a verb), <c>validate</c>, <c>policies test</c>,
/// <c>cluster status|shards|drain|ready</c>.</summary>
public static class CommandLine
{
    /// <summary>Exit code: all is good.</summary>
    public const int Good = 0;

    /// <summary>Exit code: something is wrong with what was looked at.</summary>
    public const int FoundWrong = 1;

    /// <summary>Exit code: the command line is wrong, or names a file that cannot be read.</summary>
    public const int Usage = 2;

    /// <summary>Builds the commands.</summary>
    /// <param name="run">What <c>run</c> does with a good configuration.</param>
    /// <param name="environment">The machine; null for the real one.</param>
    public static RootCommand Create(RunNode run, CommandEnvironment? environment = null)
    {
        environment ??= new CommandEnvironment();
        RootCommand root = new("Tail sampling for OpenTelemetry traces: OTLP in, whole traces decided by policies, OTLP out.");
        RunCommand.AddTo(root, run, environment);
        root.Add(ValidateCommand.Create(environment));
        Command policies = new("policies", "Work with sampling policies.");
        policies.Add(PoliciesTestCommand.Create(environment));
        root.Add(policies);
        root.Add(ClusterCommand.Create(environment));
        return root;
    }

    /// <summary>Parses and runs a command line.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    /// <param name="run">What <c>run</c> does with a good configuration.</param>
    /// <param name="environment">The machine; null for the real one.</param>
    /// <param name="output">Standard output; null for the process's.</param>
    /// <param name="error">Standard error; null for the process's.</param>
    /// <param name="cancellationToken">Ends the command.</param>
    /// <returns>The process's exit code: <see cref="Good"/>, <see cref="FoundWrong"/>, <see cref="Usage"/>, or what <paramref
    /// name="run"/> says.</returns>
    public static async Task<int> InvokeAsync(
        IReadOnlyList<string> args,
        RunNode run,
        CommandEnvironment? environment = null,
        TextWriter? output = null,
        TextWriter? error = null,
        CancellationToken cancellationToken = default)
    {
        ParseResult result = Create(run, environment).Parse(args);
        InvocationConfiguration invocation = new()
        {
            // A node drains at a signal for as long as it takes: whoever runs it watches signals, not the parser.
            ProcessTerminationTimeout = null,
            EnableDefaultExceptionHandler = false,
        };
        invocation.Output = output ?? invocation.Output;
        invocation.Error = error ?? invocation.Error;
        if (result.Action is ParseErrorAction || (result.Action is null && result.Errors.Count > 0))
        {
            foreach (System.CommandLine.Parsing.ParseError problem in result.Errors)
            {
                await invocation.Error.WriteLineAsync(problem.Message);
            }

            await invocation.Error.WriteLineAsync("See actorsampling --help.");
            return Usage;
        }

        return await result.InvokeAsync(invocation, cancellationToken);
    }

    /// <summary>Reads a configuration file; on a problem says so and gives null.</summary>
    internal static ConfigurationSource? Open(string path, TextWriter error)
    {
        try
        {
            return ConfigurationSource.FromFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"{path}: cannot be read: {e.Message}");
            return null;
        }
    }

    /// <summary>Prints findings one a line.</summary>
    internal static void Print(ConfigurationSource source, IEnumerable<ConfigurationError> findings, TextWriter writer, string indent = "")
    {
        foreach (ConfigurationError finding in findings)
        {
            writer.WriteLine(indent + source.Describe(finding));
        }
    }
}
