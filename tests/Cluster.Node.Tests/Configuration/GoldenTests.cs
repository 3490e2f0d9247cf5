using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

/// <summary>
/// Every file in <c>Golden</c> against the findings it must give, word by word, and every file in <c>Collector</c>, which must run
/// unchanged.
/// After a wanted change run with <c>UPDATE_GOLDEN=1</c> in the environment, and read the difference.
/// </summary>
public sealed class GoldenTests
{
    private static readonly string[] Inserts =
        ["", "{", "}", "[", "]", ":", "\n", "  ", "- ", "\"", "'", "&a ", "*a", "<<: ", "${", "!", "|", "\t", "\0"];

    public static TheoryData<string> Golden() => Files("Golden");

    public static TheoryData<string> Collector() => Files("Collector");

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
            File.ReadAllText(Path.Combine(TestFiles.Folder("deploy/examples"), name)), out ConfigurationErrors errors);

        Assert.Equal("", TestFiles.Findings(name, errors));
        Assert.NotNull(configuration);
    }

    public static TheoryData<string> Examples() =>
        [.. Directory.GetFiles(TestFiles.Folder("deploy/examples"), "*.yaml").Select(f => Path.GetFileName(f)!)];

    [Theory]
    [MemberData(nameof(Golden))]
    [MemberData(nameof(Collector))]
    public void Read_DamagedFile_NeverThrows(string name)
    {
        string folder = TestFiles.Folder("tests/Cluster.Node.Tests/Configuration");
        string text = File.ReadAllText(Directory.GetFiles(folder, name, SearchOption.AllDirectories).Single());
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
        string path = Path.Combine(TestFiles.Folder("tests/Cluster.Node.Tests/Configuration"), folder, name);
        NodeConfiguration? configuration = TestFiles.Read(File.ReadAllText(path), out ConfigurationErrors errors);

        string found = TestFiles.Findings(name, errors);
        string expectedPath = Path.ChangeExtension(path, ".expected.txt");
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(expectedPath, found);
        }

        Assert.Equal(File.ReadAllText(expectedPath), found);
        return configuration;
    }

    private static TheoryData<string> Files(string folder) =>
        [.. Directory.GetFiles(Path.Combine(TestFiles.Folder("tests/Cluster.Node.Tests/Configuration"), folder), "*.yaml").Select(f =>
            Path.GetFileName(f)!).Order()];
}
