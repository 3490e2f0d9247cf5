using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>The unit, and what a node of a cluster adds to it.</summary>
public sealed class SystemdTests
{
    private const string Folder = "deploy/systemd";

    [Fact]
    public async Task ClusterConfiguration_WithItsEnvironment_IsValid()
    {
        Dictionary<string, string> environment = Lines($"{Folder}/cluster/environment")
            .Select(line => line.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1]);
        NodeFile file = new(Repository.Read($"{Folder}/cluster/cluster.yaml"), environment);

        string said = await file.ValidateAsync();

        Assert.Contains(environment["NODE_ID"], said, StringComparison.Ordinal);
        Assert.Contains(environment["NODE_ADDRESS"], said, StringComparison.Ordinal);
    }

    [Fact]
    public void Cluster_Stop_WaitsForTheDrain() =>
        Assert.Equal($"{Image.GraceSeconds}s", Setting($"{Folder}/cluster/cluster.conf", "TimeoutStopSec"));

    [Theory]
    [InlineData("ExecStart")]
    [InlineData("ExecStartPre")]
    public void Unit_Command_IsOneThatTheProgramUnderstands(string setting)
    {
        string[] command = Setting($"{Folder}/actorsampling.service", setting).Split(' ');
        Assert.Equal(["/usr/bin/dotnet", "/opt/actorsampling/actorsampling.dll"], command[..2]);
        NodeFile.AssertUnderstood(command[2..]);
    }

    private static string Setting(string file, string name) =>
        Assert.Single(Lines(file), line => line.StartsWith(name + "=", StringComparison.Ordinal))[(name.Length + 1)..];

    private static IEnumerable<string> Lines(string file) =>
        Repository.Read(file).Split('\n').Where(line => line.Length > 0 && line[0] is not ('#' or '['));
}
