using Cluster.Node.Commands;
using Cluster.Node.Configuration;
using Cluster.Node.Tests.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Commands;

/// <summary>Runs command lines in a folder of their own, and keeps what they printed; the folder's name does not appear in it.</summary>
internal sealed class Shell : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("actorsampling-test-").FullName;

    /// <summary>Where its files are.</summary>
    public string Folder => _folder;

    public string Output { get; private set; } = "";

    public string Error { get; private set; } = "";

    public NodeConfiguration? Started { get; private set; }

    public IReadOnlyList<ConfigurationError> Warnings { get; private set; } = [];

    /// <summary>What says whether certificates are there; null does not look.</summary>
    public Func<string, bool>? FileExists { get; set; }

    /// <summary>What answers in place of a node's admin endpoint.</summary>
    public Func<HttpMessageHandler> Http { get; set; } = () => throw new InvalidOperationException("no command here asks a node");

    public string File(string name, string content) => File(name, System.Text.Encoding.UTF8.GetBytes(content));

    public string File(string name, byte[] content)
    {
        string path = Path.Combine(_folder, name);
        System.IO.File.WriteAllBytes(path, content);
        return path;
    }

    public async Task<int> RunAsync(params string[] args)
    {
        using StringWriter output = new() { NewLine = "\n" };
        using StringWriter error = new() { NewLine = "\n" };
        CommandEnvironment environment = new()
        {
            Variable = TestFiles.Variable,
            AvailableMemoryBytes = TestFiles.AvailableMemory,
            Machine = TestFiles.Machine with { FileExists = FileExists },
            Http = Http,
        };
        int code = await CommandLine.InvokeAsync(args, RunNodeAsync, environment, output, error, TestContext.Current.CancellationToken);
        Output = output.ToString().Replace(_folder + "/", "", StringComparison.Ordinal);
        Error = error.ToString().Replace(_folder + "/", "", StringComparison.Ordinal);
        return code;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Task<int> RunNodeAsync(
        NodeConfiguration configuration, IReadOnlyList<ConfigurationError> warnings, CancellationToken cancellationToken)
    {
        (Started, Warnings) = (configuration, warnings);
        return Task.FromResult(42);
    }
}
