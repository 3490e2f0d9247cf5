using System.Globalization;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Admin;

/// <summary>Reads the query parameters of one request, strictly: a misspelt one is an error, never ignored.</summary>
internal static class AdminQuery
{
    /// <summary>What is wrong with the names; null when each is known and given once.</summary>
    /// <param name="query">The request's.</param>
    /// <param name="path">The route, for the message.</param>
    /// <param name="known">Names that it takes.</param>
    public static AdminReply? CheckNames(IQueryCollection query, string path, IReadOnlyList<string> known)
    {
        foreach ((string name, var values) in query)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
            {
                string right = known.Count == 0 ? "no parameters" : string.Join(", ", known);
                return AdminReply.BadParameter($"Unknown query parameter '{Text.Shorten(name, 100)}'; {path} takes {right}.");
            }

            if (values.Count > 1)
            {
                return AdminReply.BadParameter($"Query parameter '{name}' is given {values.Count} times; give it once.");
            }
        }

        return null;
    }

    /// <summary>One of a few words.</summary>
    /// <param name="query">The request's.</param>
    /// <param name="name">Of the parameter.</param>
    /// <param name="choices">The first is the default.</param>
    /// <param name="value">What was chosen.</param>
    /// <returns>What is wrong; null when nothing is.</returns>
    public static AdminReply? Choice(IQueryCollection query, string name, IReadOnlyList<string> choices, out string value)
    {
        string? text = query[name];
        value = text ?? choices[0];
        return choices.Contains(value, StringComparer.Ordinal)
            ? null
            : AdminReply.BadParameter($"Unknown {name} '{Text.Shorten(value, 100)}'; it is one of {string.Join(", ", choices)}.");
    }

    /// <summary>True or false, false when not given.</summary>
    /// <returns>What is wrong; null when nothing is.</returns>
    public static AdminReply? Flag(IQueryCollection query, string name, out bool value)
    {
        AdminReply? problem = Choice(query, name, ["false", "true"], out string text);
        value = text == "true";
        return problem;
    }

    /// <summary>A whole number.</summary>
    /// <returns>What is wrong; null when nothing is.</returns>
    public static AdminReply? Number(IQueryCollection query, string name, int fallback, int least, int most, out int value)
    {
        value = fallback;
        string? text = query[name];
        if (text is null)
        {
            return null;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most
            ? null
            : AdminReply.BadParameter($"{name} '{Text.Shorten(text, 100)}' is out of range; it is a whole number from {least} to {most}.");
    }
}
