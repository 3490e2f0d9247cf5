using System.Text.RegularExpressions;
using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

/// <summary>Holds <c>docs/configuration.md</c> to what the reader knows: every key, under the heading of its block.</summary>
public sealed partial class ReferencePageTests
{
    [Fact]
    public void ReferencePage_EveryKeyTheReaderKnows_IsUnderItsBlock()
    {
        Dictionary<string, string> blocks = Blocks(Repository.Read("docs/configuration.md"));

        string[] missing =
        [
            .. KnownPaths().Where(p =>
                !blocks.TryGetValue(BlockOf(p), out string? text) || !text.Contains($"`{KeyOf(p)}`", StringComparison.Ordinal)),
        ];

        Assert.Empty(missing);
        Assert.InRange(KnownPaths().Count(), 200, int.MaxValue);
    }

    [Fact]
    public void ReferencePage_EveryKeyInATable_IsOneTheReaderKnows()
    {
        Dictionary<string, string> blocks = Blocks(Repository.Read("docs/configuration.md"));
        ILookup<string, string> known = KnownPaths().ToLookup(BlockOf, KeyOf);

        string[] unknown =
        [
            .. from block in blocks
               where known.Contains(block.Key)
               from Match row in FirstCell().Matches(block.Value)
               from Match key in Quoted().Matches(row.Groups[1].Value)
               where !known[block.Key].Contains(key.Groups[1].Value)
               select $"{block.Key}: {key.Groups[1].Value}",
        ];

        Assert.Empty(unknown);
    }

    private static IEnumerable<string> KnownPaths()
    {
        ConfigurationErrors errors = new();
        ConfigurationReading reading = new(errors);
        string yaml = Repository.Read("tests/Cluster.Node.Tests/Configuration/every-block.yaml");
        NodeConfigurationReader.Read(yaml, TestFiles.Variable, TestFiles.AvailableMemory, new CommandLineOverrides(), TestFiles.Machine, reading);
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        return reading.KnownPaths.Where(p => !PipelineName().IsMatch(p));
    }

    /// <summary>The page describes blocks that occur in several places once.</summary>
    private static string BlockOf(string path)
    {
        int dot = path.LastIndexOf('.');
        string block = dot < 0 ? "Top level" : path[..dot];
        block = ListIndex().Replace(block, "");
        block = block.Replace("protocols.http.tls", "protocols.grpc.tls", StringComparison.Ordinal);
        return SharedBlock().Replace(block, "exporters.otlp.");
    }

    private static string KeyOf(string path) => path[(path.LastIndexOf('.') + 1)..];

    private static Dictionary<string, string> Blocks(string page)
    {
        Dictionary<string, string> blocks = [];
        foreach (string part in Heading().Split(page).Skip(1))
        {
            int end = part.IndexOf('\n', StringComparison.Ordinal);
            blocks[part[..end].Trim('`')] = part[end..];
        }

        return blocks;
    }

    [GeneratedRegex("^##+ ", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^\| ([^|]*) \|", RegexOptions.Multiline)]
    private static partial Regex FirstCell();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\[\d+\]")]
    private static partial Regex ListIndex();

    [GeneratedRegex(@"^exporters\.(otlphttp|file)\.(?=tls|retry_on_failure|sending_queue|headers)")]
    private static partial Regex SharedBlock();

    [GeneratedRegex(@"^service\.pipelines\.[^.]+$")]
    private static partial Regex PipelineName();
}
