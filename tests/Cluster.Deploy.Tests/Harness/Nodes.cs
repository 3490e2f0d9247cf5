using System.Text.Json.Nodes;

namespace Cluster.Deploy.Tests.Harness;

/// <summary>Ways through JSON nodes in which what is missing is null, or nothing.</summary>
internal static class Nodes
{
    /// <summary>The node at a path of names with slashes; null when there is none.</summary>
    public static JsonNode? At(this JsonNode? node, string path)
    {
        foreach (string name in path.Split('/'))
        {
            node = (node as JsonObject)?[name];
        }

        return node;
    }

    /// <summary>The value at a path, as text; null when there is none.</summary>
    public static string? Text(this JsonNode? node, string path) => node.At(path)?.ToString();

    /// <summary>The elements of a list at a path; none when there is no list.</summary>
    public static IEnumerable<JsonNode> Each(this JsonNode? node, string path) =>
        (node.At(path) as JsonArray)?.Select(element => element!) ?? [];

    /// <summary>The texts of a list at a path.</summary>
    public static string[] Texts(this JsonNode? node, string path) => [.. node.Each(path).Select(element => element.ToString())];

    /// <summary>Names and values of a mapping at a path; none when there is no mapping.</summary>
    public static IReadOnlyDictionary<string, string> Map(this JsonNode? node, string path) =>
        ((node.At(path) as JsonObject) ?? []).ToDictionary(pair => pair.Key, pair => pair.Value!.ToString());
}
