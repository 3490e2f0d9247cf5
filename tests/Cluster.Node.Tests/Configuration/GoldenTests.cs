using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

/// <summary>
/// Every file in <c>Golden</c> against the findings it must give, word by word, and every file in <c>Collector</c>, which must run unchanged.
/// </summary>
public sealed class GoldenTests
{
    private const string Folder = "tests/Cluster.Node.Tests/Configuration/";

    public static TheoryData<string> Golden() => Repository.Files(Folder + "Golden", "*.yaml");

    public static TheoryData<string> Collector() => Repository.Files(Folder + "Collector", "*.yaml");

    [Theory]
    [MemberData(nameof(Golden))]
    public void Read_WrongFile_GivesExactlyTheseFindings(string name)
    {
        NodeConfiguration? configuration = Compare("Golden", name);

        Assert.Null(configuration);
    }

    [Theory]
    [MemberData(nameof(Collector))]
    public void Read_CollectorFile_RunsUnchanged(string name)
    {
        NodeConfiguration? configuration = Compare("Collector", name);

        Assert.NotNull(configuration);
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Read_ExampleForUsers_RunsWithoutAFinding(string name)
    {
        NodeConfiguration? configuration = TestFiles.Read(
            Repository.Read("deploy/examples/" + name), out ConfigurationErrors errors);

        Assert.Equal("", TestFiles.Findings(name, errors));
        Assert.NotNull(configuration);
    }

    public static TheoryData<string> Examples() => Repository.Files("deploy/examples", "*.yaml");

    private static NodeConfiguration? Compare(string folder, string name)
    {
        string path = $"{Folder}{folder}/{name}";
        NodeConfiguration? configuration = TestFiles.Read(Repository.Read(path), out ConfigurationErrors errors);

        Repository.AssertGolden(Path.ChangeExtension(path, ".expected.txt"), TestFiles.Findings(name, errors));
        return configuration;
    }
}
