using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

/// <summary>
/// Every file in <c>Golden</c> against the findings it must give, word by word, and every file in <c>Collector</c>, which must run
/// unchanged.
/// </summary>
public sealed class GoldenTests
{
    private const string Folder = "tests/Cluster.Node.Tests/Configuration/";

    private static readonly string[] Inserts =
        ["", "{", "}", "[", "]", ":", "\n", "  ", "- ", "\"", "'", "&a ", "*a", "<<: ", "${", "!", "|", "\t", "\0"];

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

    [Theory]
    [MemberData(nameof(Golden))]
    [MemberData(nameof(Collector))]
    public void Read_DamagedFile_NeverThrows(string name)
    {
        string text = Repository.Read(Folder + (Golden().Any(file => file.Data == name) ? "Golden/" : "Collector/") + name);
        Random random = new(name.Length);
        for (int i = 0; i < 100; i++)
        {
            string damaged = text;
            for (int damage = random.Next(1, 4); damage > 0; damage--)
            {
                int at = random.Next(damaged.Length);
                int length = Math.Min(random.Next(0, 12), damaged.Length - at);
                damaged = damaged.Remove(at, length).Insert(at, Inserts[random.Next(Inserts.Length)]);
            }

            NodeConfiguration? configuration = TestFiles.Read(damaged, out ConfigurationErrors errors);
            Assert.Equal(errors.HasErrors, configuration is null);
        }
    }

    private static NodeConfiguration? Compare(string folder, string name)
    {
        string path = $"{Folder}{folder}/{name}";
        NodeConfiguration? configuration = TestFiles.Read(Repository.Read(path), out ConfigurationErrors errors);

        Repository.AssertGolden(Path.ChangeExtension(path, ".expected.txt"), TestFiles.Findings(name, errors));
        return configuration;
    }
}
