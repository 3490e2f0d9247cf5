using System.Text.RegularExpressions;

namespace Cluster.Architecture.Tests;

/// <summary>
/// Only <c>Program.cs</c> and <c>*ServiceCollectionExtensions.cs</c> put the parts together. A part is a class behind one of our
/// interfaces, or one with a life to end (<c>IAsyncDisposable</c>); its own folder may make it, another may not.
/// </summary>
public sealed partial class CompositionLaws
{
    private static readonly string[] ComposedProjects = ["Cluster.Gateway", "Cluster.Sharding", "Cluster.Node"];

    [Fact]
    public void Part_IsMade_InItsFolderOrTheComposition()
    {
        Dictionary<string, Type> parts = ComposedProjects
            .SelectMany(project => Repository.Assemblies[project].GetTypes())
            .Where(IsPart)
            .DistinctBy(type => type.Name)
            .ToDictionary(type => type.Name);
        string[] wrong = [.. Repository.Sources
            .Where(file => ComposedProjects.Contains(file.Project) && !IsComposition(file))
            .SelectMany(file => New.Matches(file.Code)
                .Select(found => found.Groups[1].Value)
                .Where(name => parts.TryGetValue(name, out Type? type) && !SameFolder(file, type))
                .Select(name => $"{file} makes a {name}"))];
        Repository.AssertNone(wrong);
    }

    /// <summary>
    /// Dependencies come through constructors; nobody fetches them but <c>NodeHost</c>, which starts and stops what the composition made.
    /// </summary>
    [Fact]
    public void SourceFile_OutsideTheComposition_AsksNoContainer()
    {
        string[] wrong = [.. Repository.Sources
            .Where(file => !IsComposition(file) && file.Path != "Hosting/NodeHost.cs" && Locator.IsMatch(file.Code))
            .Select(file => file.ToString())];
        Repository.AssertNone(wrong);
    }

    private static bool IsComposition(SourceFile file) =>
        file.Path == "Program.cs" || file.Path.EndsWith("ServiceCollectionExtensions.cs", StringComparison.Ordinal);

    private static bool IsPart(Type type) =>
        type is { IsClass: true, IsAbstract: false, IsNested: false } && !type.Name.Contains('<', StringComparison.Ordinal)
        && type.GetInterfaces().Any(contract =>
            contract == typeof(IAsyncDisposable) || Repository.Assemblies.Values.Contains(contract.Assembly));

    /// <summary>The same first folder of the same project.</summary>
    private static bool SameFolder(SourceFile file, Type type)
    {
        string[] space = type.Namespace!.Split('.');
        return space.Length >= 2 && $"{space[0]}.{space[1]}" == file.Project && (space.Length > 2 ? space[2] : "") == file.Folder;
    }

    [GeneratedRegex(@"\bnew\s+(\w+)\s*[({]")]
    private static partial Regex New { get; }

    [GeneratedRegex(@"\b(GetRequiredService|GetService|GetKeyedService)\s*[<(]|\bActivatorUtilities\b")]
    private static partial Regex Locator { get; }
}
