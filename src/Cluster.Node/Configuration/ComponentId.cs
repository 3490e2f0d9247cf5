using System.Text.RegularExpressions;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>A component's name in the Collector: <c>type</c> or <c>type/name</c>.</summary>
internal static partial class ComponentId
{
    /// <summary>The type, before the slash.</summary>
    public static string TypeOf(string id)
    {
        int slash = id.IndexOf('/', StringComparison.Ordinal);
        return (slash < 0 ? id : id[..slash]).Trim();
    }

    /// <summary>Whether it is a name at all.</summary>
    public static bool IsValid(string id) => Pattern().IsMatch(id);

    /// <summary>The blocks of a section by ID, except those whose ID is wrong, which are reported.</summary>
    public static IEnumerable<(string Id, ConfigurationSection Section)> Components(ConfigurationSection parent)
    {
        foreach (string id in parent.Keys.ToArray())
        {
            if (!IsValid(id))
            {
                parent.Ignore(id);
                parent.Error(id, "is not a component name", "write 'type' or 'type/name', otlp/2 for example");
            }
            else if (parent.Section(id) is { } section)
            {
                yield return (id, section);
            }
        }
    }

    [GeneratedRegex("^[a-zA-Z][0-9a-zA-Z_]{0,62}(/[^/\\s]+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
