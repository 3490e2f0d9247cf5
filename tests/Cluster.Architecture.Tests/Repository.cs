using System.Reflection;
using System.Text.RegularExpressions;

namespace Cluster.Architecture.Tests;

/// <summary>The source tree and the assemblies that the laws are about.</summary>
internal static partial class Repository
{
    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The projects under <c>src</c>, by name.</summary>
    public static IReadOnlyList<string> Projects { get; } =
        [.. Directory.GetDirectories(Path.Combine(Root, "src")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    /// <summary>Every C# file under <c>src</c>.</summary>
    public static IReadOnlyList<SourceFile> Sources { get; } = [.. Projects.SelectMany(ReadProject)];

    /// <summary>The compiled projects of <c>src</c>, by project name.</summary>
    public static IReadOnlyDictionary<string, Assembly> Assemblies { get; } = Projects.ToDictionary(
        project => project, project => Assembly.Load(project == "Cluster.Node" ? "actorsampling" : project));

    /// <summary>Fails with every violation of a law, each in full on a line of its own.</summary>
    public static void AssertNone(IReadOnlyCollection<string> violations)
    {
        if (violations.Count > 0)
        {
            Assert.Fail(string.Join('\n', violations));
        }
    }

    private static IEnumerable<SourceFile> ReadProject(string project)
    {
        string folder = Path.Combine(Root, "src", project);
        return Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Where(path => !path.StartsWith("bin/", StringComparison.Ordinal) && !path.StartsWith("obj/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(path => new SourceFile(project, path, File.ReadAllText(Path.Combine(folder, path))));
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ActorSampling.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no ActorSampling.sln above {AppContext.BaseDirectory}");
    }

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/", RegexOptions.Singleline)]
    internal static partial Regex Comments { get; }
}

/// <summary>One C# file.</summary>
/// <param name="Project">Its project.</param>
/// <param name="Path">Its path in the project, with slashes.</param>
/// <param name="Text">What it says.</param>
internal sealed record SourceFile(string Project, string Path, string Text)
{
    private string? _code;

    /// <summary>The text without comments. A <c>//</c> inside a string ends the line too: good enough to search in.</summary>
    public string Code => _code ??= Repository.Comments.Replace(Text, "");

    /// <summary>The first folder below the project; empty for a file at its top.</summary>
    public string Folder => Path.Contains('/', StringComparison.Ordinal) ? Path[..Path.IndexOf('/', StringComparison.Ordinal)] : "";

    /// <summary>The namespace that goes with its folder.</summary>
    public string ExpectedNamespace => Path.Contains('/', StringComparison.Ordinal)
        ? $"{Project}.{Path[..Path.LastIndexOf('/')].Replace('/', '.')}"
        : Project;

    /// <inheritdoc/>
    public override string ToString() => $"src/{Project}/{Path}";
}
