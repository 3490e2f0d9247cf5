using System.Text.Json.Nodes;
using Cluster.Node.Commands;

namespace Cluster.Deploy.Tests.Harness;

/// <summary>A node's configuration as it is deployed, with the environment that it finds there.</summary>
/// <param name="Text">The file.</param>
/// <param name="Environment">The variables that are set.</param>
internal sealed record NodeFile(string Text, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>The file as it is written, references and all.</summary>
    public JsonNode Root { get; } = Yaml.One(Text);

    /// <summary>The port that an address in the file ends in.</summary>
    public int Port(string path)
    {
        string address = Root.Text(path) ?? throw new InvalidOperationException($"the file has no {path}");
        return int.Parse(address[(address.LastIndexOf(':') + 1)..]);
    }

    /// <summary>Ports by the name that manifests give them.</summary>
    public IReadOnlyDictionary<string, int> Ports => new Dictionary<string, int>
    {
        ["otlp-grpc"] = Port("receivers/otlp/protocols/grpc/endpoint"),
        ["otlp-http"] = Port("receivers/otlp/protocols/http/endpoint"),
        ["peers"] = Port("cluster/node/listen"),
        ["admin"] = Port("admin/endpoint"),
    };

    /// <summary>Runs <c>validate</c> in that environment; fails with every error.</summary>
    /// <returns>What it says: warnings, and what would run.</returns>
    public async Task<string> ValidateAsync()
    {
        string folder = Directory.CreateTempSubdirectory("actorsampling-deploy-").FullName;
        try
        {
            string path = Path.Combine(folder, "node.yaml");
            await File.WriteAllTextAsync(path, Text);
            using StringWriter output = new();
            using StringWriter error = new();
            CommandEnvironment machine = new() { Variable = name => Environment.GetValueOrDefault(name), AvailableMemoryBytes = 3L << 30 };
            int code = await CommandLine.InvokeAsync(["validate", "--config", path], NeverRunAsync, machine, output, error);
            Assert.True(code == 0 && error.ToString().Length == 0, $"validate ended with {code}:\n{error}{output}");
            return output.ToString();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Fails unless the words after the image's entry point are a command line that the program understands.</summary>
    public static void AssertUnderstood(IEnumerable<string> arguments) =>
        Assert.Empty(CommandLine.Create(NeverRunAsync).Parse([.. arguments]).Errors.Select(error => error.Message));

    private static Task<int> NeverRunAsync(
        Cluster.Node.Configuration.NodeConfiguration configuration,
        IReadOnlyList<Cluster.Sampling.Configuration.ConfigurationError> warnings,
        CancellationToken cancellationToken) => throw new InvalidOperationException("nothing is to run here");
}
