using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Cluster.Sampling.Configuration;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cluster.Node.Configuration;

/// <summary>
/// Puts environment variables into a parsed file, as the Collector does
/// (<see href="https://opentelemetry.io/docs/collector/configuration/#environment-variables"/>): <c>${env:NAME}</c>,
/// <c>${env:NAME:-default}</c>, the older <c>${NAME}</c>, and <c>$$</c> for a dollar sign. Works on the nodes of the file, so that
/// lines stay right; also resolves YAML merge keys (<c>&lt;&lt;</c>), which the YAML reader leaves as they are. Not thread-safe.
/// </summary>
/// <remarks>
/// A value that is nothing but one reference takes the type that its text has in YAML, and still reads as a string where one is wanted.
/// Text from a variable is taken as it is: references and dollar signs in it mean nothing.
/// </remarks>
internal sealed partial class EnvironmentExpansion(Func<string, string?> environment, ConfigurationErrors errors)
{
    private readonly HashSet<YamlNode> _visited = new(ReferenceEqualityComparer.Instance);

    /// <summary>Expands every value below <paramref name="root"/>.</summary>
    public void Expand(YamlNode root) => Visit(root, "");

    private void Visit(YamlNode node, string path)
    {
        // An alias is the same node again.
        if (!_visited.Add(node))
        {
            return;
        }

        switch (node)
        {
            case YamlMappingNode map:
                Merge(map, path);
                foreach (YamlNode key in map.Children.Keys.ToArray())
                {
                    string name = (key as YamlScalarNode)?.Value ?? "";
                    map.Children[key] = Replace(map.Children[key], path.Length == 0 ? name : path + "." + name);
                }

                break;
            case YamlSequenceNode list:
                for (int i = 0; i < list.Children.Count; i++)
                {
                    list.Children[i] = Replace(list.Children[i], string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"));
                }

                break;
        }
    }

    private YamlNode Replace(YamlNode node, string path)
    {
        if (node is not YamlScalarNode { Value: { } text } scalar)
        {
            Visit(node, path);
            return node;
        }

        if (!text.Contains('$', StringComparison.Ordinal) || !_visited.Add(node))
        {
            return node;
        }

        int line = (int)scalar.Start.Line;
        bool whole = text.StartsWith("${", StringComparison.Ordinal) && ClosingBrace(text, 0) == text.Length - 1;
        string? value = ExpandText(text, path, line);
        if (value is null || !whole)
        {
            scalar.Value = value ?? "";
            scalar.Style = value is null ? ScalarStyle.Plain : ScalarStyle.DoubleQuoted;
            return scalar;
        }

        // A list or a mapping in a variable. The empty lines before it make its own lines those of the reference.
        if (value.TrimStart() is ['[' or '{', ..] && TryParse(new string('\n', Math.Max(0, line - 1)) + value) is { } parsed)
        {
            return parsed;
        }

        scalar.Value = value;
        scalar.Style = ScalarStyle.Plain;
        scalar.Tag = ConfigurationSection.ExpandedTag;
        return scalar;
    }

    /// <summary>Null when a reference is wrong; the errors then say so.</summary>
    private string? ExpandText(string text, string path, int line)
    {
        StringBuilder expanded = new(text.Length);
        bool good = true;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '$' || i + 1 == text.Length)
            {
                expanded.Append(text[i]);
            }
            else if (text[i + 1] == '$')
            {
                expanded.Append('$');
                i++;
            }
            else if (text[i + 1] == '{' && ClosingBrace(text, i) is > 0 and int end)
            {
                string? inner = ExpandText(text[(i + 2)..end], path, line);
                string? value = inner is null ? null : Resolve(inner, path, line);
                good &= value is not null;
                expanded.Append(value);
                i = end;
            }
            else
            {
                expanded.Append('$');
            }
        }

        return good ? expanded.ToString() : null;
    }

    private string? Resolve(string reference, string path, int line)
    {
        string rest = reference.StartsWith("env:", StringComparison.Ordinal) ? reference[4..] : reference;
        int separator = rest.IndexOf(":-", StringComparison.Ordinal);
        string name = separator < 0 ? rest : rest[..separator];
        if (!VariableName().IsMatch(name))
        {
            int colon = name.IndexOf(':', StringComparison.Ordinal);
            errors.Error(
                path,
                line,
                colon > 0 ? $"'{name[..colon]}' in '${{{reference}}}' is not a known source" : $"'{name}' is not a variable name",
                "write ${env:NAME} or ${env:NAME:-default}, and $$ for a dollar sign");
            return null;
        }

        string? value = environment(name) ?? (separator < 0 ? null : rest[(separator + 2)..]);
        if (value is null)
        {
            errors.Error(path, line, $"the environment variable {name} is not set", $"set it, or give a default: ${{env:{name}:-default}}");
        }

        return value;
    }

    /// <summary>Index of the brace that ends the reference at <paramref name="start"/>; -1 when there is none.</summary>
    private static int ClosingBrace(string text, int start)
    {
        int depth = 0;
        for (int i = start; i < text.Length; i++)
        {
            if (text[i] == '$' && i + 1 < text.Length && text[i + 1] == '{')
            {
                depth++;
                i++;
            }
            else if (text[i] == '}' && --depth == 0)
            {
                return i;
            }
        }

        return -1;
    }

    private static YamlNode? TryParse(string yaml)
    {
        try
        {
            YamlStream stream = [];
            stream.Load(new StringReader(yaml));
            return stream.Documents is [{ RootNode: YamlMappingNode or YamlSequenceNode } document] ? document.RootNode : null;
        }
        catch (Exception e) when (e is YamlException or InvalidOperationException)
        {
            return null;
        }
    }

    private void Merge(YamlMappingNode map, string path)
    {
        YamlNode? mergeKey = map.Children.Keys.FirstOrDefault(k => k is YamlScalarNode { Value: "<<", Style: ScalarStyle.Plain });
        if (mergeKey is null)
        {
            return;
        }

        YamlNode merged = map.Children[mergeKey];
        map.Children.Remove(mergeKey);
        foreach (YamlNode source in merged is YamlSequenceNode list ? list.Children.ToArray() : [merged])
        {
            if (source is not YamlMappingNode mapping)
            {
                errors.Error(
                    path, (int)source.Start.Line, "'<<' must name a mapping", "write '<<: *anchor' where the anchor marks a mapping");
                continue;
            }

            if (!ReferenceEquals(mapping, map))
            {
                Merge(mapping, path);
            }

            foreach ((YamlNode key, YamlNode value) in mapping.Children.ToArray())
            {
                map.Children.TryAdd(key, value);
            }
        }
    }

    [GeneratedRegex("^[a-zA-Z_][a-zA-Z0-9_]*$", RegexOptions.CultureInvariant)]
    private static partial Regex VariableName();
}
