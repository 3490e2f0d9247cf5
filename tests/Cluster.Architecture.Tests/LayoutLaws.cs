using System.CodeDom.Compiler;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Cluster.Architecture.Tests;

/// <summary>Where things are.</summary>
public sealed partial class LayoutLaws
{
    private const string SharedByReceivers = "Hosting";

    [Fact]
    public void Project_UnderSrc_HasAMirroredTestProject()
    {
        string[] missing = [.. Repository.Projects.Where(project => !File.Exists(
            Path.Combine(Repository.Root, "tests", $"{project}.Tests", $"{project}.Tests.csproj")))];
        Repository.AssertNone(missing);
    }

    [Fact]
    public void Project_WithCode_IsInTheSolution()
    {
        string solution = File.ReadAllText(Path.Combine(Repository.Root, "ActorSampling.sln"));
        string[] missing = [.. new[] { "src", "tests", "bench" }
            .Select(folder => Path.Combine(Repository.Root, folder))
            .Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.csproj", SearchOption.AllDirectories))
            .Select(path => Path.GetFileName(path)!)
            .Where(name => !solution.Contains($"\\{name}\"", StringComparison.Ordinal))];
        Repository.AssertNone(missing);
    }

    [Fact]
    public void SourceFile_Namespace_IsItsFolder()
    {
        string[] wrong = [.. Repository.Sources
            .Where(file => Namespace.Match(file.Text) is { Success: true } found && found.Groups[1].Value != file.ExpectedNamespace)
            .Select(file => $"{file} is not in namespace {file.ExpectedNamespace}")];
        Repository.AssertNone(wrong);
    }

    /// <summary>A door hands a request to <c>ITraceConsumer</c> and knows nothing of what stands behind it.</summary>
    [Fact]
    public void Receivers_Use_NothingBehindTheirContract()
    {
        string[] wrong = [.. Repository.Sources
            .Where(file => file.Project == "Cluster.Gateway" && file.Folder == "Receivers" && BehindReceivers.IsMatch(file.Code))
            .Select(file => file.ToString())];
        Repository.AssertNone(wrong);
    }

    /// <summary>One protocol's receiver does not use another's. What all doors share is in <c>Hosting</c>.</summary>
    [Fact]
    public void Receiver_Uses_NoOtherReceiver()
    {
        string[] wrong = [.. Repository.Sources
            .Where(file => file.Path.StartsWith("Receivers/", StringComparison.Ordinal) && file.Path.Count(c => c == '/') > 1)
            .Where(file => file.Path.Split('/')[1] != SharedByReceivers)
            .SelectMany(file => OtherReceiver.Matches(file.Code)
                .Select(found => found.Groups[1].Value)
                .Where(other => other != file.Path.Split('/')[1] && other != SharedByReceivers)
                .Select(other => $"{file} uses {other}"))];
        Repository.AssertNone(wrong);
    }

    /// <summary>What is not made to be derived from says so.</summary>
    [Fact]
    public void Class_InSrc_IsSealedUnlessDerivedFrom()
    {
        Type[] classes = [.. Repository.Assemblies.Values.SelectMany(assembly => assembly.GetTypes()).Where(type => type.IsClass)];
        HashSet<Type> bases = [.. classes
            .Where(type => type.BaseType is not null)
            .Select(type => type.BaseType!.IsGenericType ? type.BaseType.GetGenericTypeDefinition() : type.BaseType)];
        string[] open = [.. classes
            .Where(type => !type.IsSealed && !type.IsAbstract && !bases.Contains(type) && !IsGenerated(type))
            .Select(type => type.FullName!)];
        Repository.AssertNone(open);
    }

    private static bool IsGenerated(Type? type)
    {
        for (; type is not null; type = type.DeclaringType)
        {
            // The second: the class around top-level statements.
            if (type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false) || type.Name is "Program" or ['<', ..]
                || type.IsDefined(typeof(GeneratedCodeAttribute), inherit: false))
            {
                return true;
            }
        }

        return false;
    }

    [GeneratedRegex(@"^namespace\s+([\w.]+)\s*;", RegexOptions.Multiline)]
    private static partial Regex Namespace { get; }

    [GeneratedRegex(@"\bCluster\.Gateway\.(Splitting|Routing)\b|\bIShardRegion\b")]
    private static partial Regex BehindReceivers { get; }

    [GeneratedRegex(@"\bCluster\.Gateway\.Receivers\.(\w+)")]
    private static partial Regex OtherReceiver { get; }
}
