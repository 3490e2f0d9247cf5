using System.Text.RegularExpressions;
using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>The Dockerfile, as far as it can be read: it is not built here.</summary>
public sealed class ImageTests
{
    [Fact]
    public void Image_User_IsANumberAndNotRoot() => Assert.True(int.Parse(Image.User) > 0);

    [Fact]
    public void Image_Ports_AreThoseOfAClusterNode() => Assert.Equal([4317, 4318, 4320, 8080], Image.Ports);

    [Fact]
    public void Image_Runtime_HasNoShell() => Assert.EndsWith("-chiseled", Image.Bases.Last(), StringComparison.Ordinal);

    /// <summary>The release of .NET that the source is built for; its patches come with a new build.</summary>
    [Fact]
    public void Image_Bases_AreOfTheTargetFramework()
    {
        string framework = Regex.Match(Repository.Read("Directory.Build.props"), "<TargetFramework>net(.*)</TargetFramework>").Groups[1].Value;
        Assert.All(Image.Bases, image => Assert.Matches($":{Regex.Escape(framework)}(-|$)", image));
    }

    [Fact]
    public void Image_Command_IsOneThatTheProgramUnderstands()
    {
        Assert.Equal(["dotnet", "/app/actorsampling.dll"], Image.EntryPoint);
        NodeFile.AssertUnderstood(Image.Command);
    }

    /// <summary>What the build copies is not left out by the ignore file.</summary>
    [Fact]
    public void Image_BuildContext_HoldsWhatIsCopied()
    {
        string[] kept = [.. Repository.Read("deploy/Dockerfile.dockerignore").Split('\n')
            .Where(line => line.StartsWith('!')).Select(line => line[1..])];
        string[] copied = [.. Repository.Read("deploy/Dockerfile").Split('\n')
            .Where(line => line.StartsWith("COPY ", StringComparison.Ordinal) && !line.Contains("--from", StringComparison.Ordinal))
            .SelectMany(line => line.Split(' ')[1..^1])];
        Assert.Equal(kept.Order(), copied.Order());
        Assert.All(copied, path => Assert.True(Path.Exists(Repository.PathTo(path)), path));
    }
}
