namespace Cluster.Sampling.Policies;

/// <summary>Helps policies to put their reasons into words.</summary>
internal static class Words
{
    private const int MaxListed = 5;
    private const int MaxLength = 64;

    /// <summary><c>[a, b, and 7 more]</c>.</summary>
    public static string List(IReadOnlyList<string> values)
    {
        string listed = string.Join(", ", values.Take(MaxListed).Select(v => v.Length <= MaxLength ? v : v[..MaxLength] + "…"));
        return values.Count <= MaxListed ? $"[{listed}]" : $"[{listed}, and {values.Count - MaxListed} more]";
    }

    /// <summary><c>1 span</c>, <c>2 spans</c>.</summary>
    public static string Spans(long count) => count == 1 ? "1 span" : $"{count} spans";
}
