namespace Cluster.Sampling.Configuration;

/// <summary>Guesses what a misspelt key was meant to be.</summary>
internal static class Spelling
{
    /// <summary>The known word that differs least, in at most a third of the letters; null when none is near.</summary>
    public static string? Nearest(string word, IEnumerable<string> known) =>
        known.Where(k => Distance(k, word) <= Math.Max(1, word.Length / 3)).MinBy(k => Distance(k, word));

    /// <summary>Letters to change, add or remove to come from one to the other.</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
