using System.Xml.Linq;

namespace Cluster.Architecture.Tests;

/// <summary>Messages &lt;- Sampling &lt;- Sharding &lt;- Node and Messages &lt;- Gateway &lt;- Node, nothing else.</summary>
public sealed class ReferenceLaws
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Cluster.Messages"] = [],
        ["Cluster.Sampling"] = ["Cluster.Messages"],
        ["Cluster.Sharding"] = ["Cluster.Messages", "Cluster.Sampling"],
        ["Cluster.Gateway"] = ["Cluster.Messages"],
        ["Cluster.Node"] = ["Cluster.Gateway", "Cluster.Messages", "Cluster.Sampling", "Cluster.Sharding"],
    };

    [Fact]
    public void Projects_UnderSrc_AreTheFiveOfTheDesign() => Assert.Equal(Allowed.Keys.Order(), Repository.Projects.Order());

    [Theory]
    [MemberData(nameof(ProjectNames))]
    public void ProjectFile_References_OnlyWhatIsBelowIt(string project)
    {
        string[] references = [.. Items(project, "ProjectReference")
            .Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')))];
        Assert.Empty(references.Except(Allowed[project]));
    }

    [Theory]
    [MemberData(nameof(ProjectNames))]
    public void Assembly_References_OnlyWhatIsBelowIt(string project)
    {
        string[] ours = [.. Repository.Assemblies[project].GetReferencedAssemblies()
            .Select(name => name.Name!)
            .Where(name => name.StartsWith("Cluster.", StringComparison.Ordinal))];
        Assert.Empty(ours.Except(Allowed[project]));
    }

    /// <summary>What crosses a wire and what decides knows neither web server, container nor logger.</summary>
    [Theory]
    [InlineData("Cluster.Messages")]
    [InlineData("Cluster.Sampling")]
    public void PureProject_References_NoHostAndNoLogger(string project)
    {
        string[] forbidden = [.. Repository.Assemblies[project].GetReferencedAssemblies()
            .Select(name => name.Name!)
            .Where(name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal)
                || name.StartsWith("Microsoft.Extensions", StringComparison.Ordinal)
                || name.StartsWith("System.Net", StringComparison.Ordinal))];
        Assert.Empty(forbidden);
        Assert.Empty(Items(project, "FrameworkReference"));
    }

    [Fact]
    public void Messages_References_NoPackage() => Assert.Empty(Items("Cluster.Messages", "PackageReference"));

    /// <summary>Only the gateway and the node stand on ASP.NET.</summary>
    [Fact]
    public void Sharding_References_NoWebServer() => Assert.DoesNotContain(
        Repository.Assemblies["Cluster.Sharding"].GetReferencedAssemblies(),
        name => name.Name!.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));

    public static TheoryData<string> ProjectNames() => [.. Allowed.Keys];

    private static IEnumerable<string> Items(string project, string kind) =>
        XDocument.Load(Path.Combine(Repository.Root, "src", project, $"{project}.csproj"))
            .Descendants(kind)
            .Select(item => item.Attribute("Include")!.Value);
}
