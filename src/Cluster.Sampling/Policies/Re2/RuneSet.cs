using System.Globalization;

namespace Cluster.Sampling.Policies.Re2;

/// <summary>A set of code points, as sorted, disjoint, inclusive ranges. Immutable.</summary>
internal sealed class RuneSet
{
    public const int MaxRune = 0x10FFFF;

    public static readonly RuneSet None = new([]);
    public static readonly RuneSet All = Of((0, MaxRune));
    public static readonly RuneSet Newline = Of(('\n', '\n'));
    public static readonly RuneSet Digits = Of(('0', '9'));
    public static readonly RuneSet Spaces = Of(('\t', '\n'), ('\f', '\r'), (' ', ' '));
    public static readonly RuneSet Words = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    private RuneSet((int First, int Last)[] ranges) => Ranges = ranges;

    public (int First, int Last)[] Ranges { get; }

    /// <summary>Ranges in any order, which may overlap.</summary>
    public static RuneSet Of(params IEnumerable<(int First, int Last)> ranges)
    {
        List<(int First, int Last)> merged = [];
        foreach ((int first, int last) in ranges.OrderBy(r => r.First))
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
            {
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            }
            else
            {
                merged.Add((first, last));
            }
        }

        return new RuneSet([.. merged]);
    }

    public static RuneSet One(int rune) => Of((rune, rune));

    /// <summary>The code points of some general categories.</summary>
    public static RuneSet Category(Func<UnicodeCategory, bool> isMember)
    {
        List<(int First, int Last)> ranges = [];
        int first = -1;
        for (int rune = 0; rune <= MaxRune + 1; rune++)
        {
            bool member = rune <= MaxRune && isMember(CharUnicodeInfo.GetUnicodeCategory(rune));
            if (member && first < 0)
            {
                first = rune;
            }
            else if (!member && first >= 0)
            {
                ranges.Add((first, rune - 1));
                first = -1;
            }
        }

        return new RuneSet([.. ranges]);
    }

    public RuneSet Union(RuneSet other) => Of([.. Ranges, .. other.Ranges]);

    public RuneSet Negate()
    {
        List<(int First, int Last)> ranges = [];
        int next = 0;
        foreach ((int first, int last) in Ranges)
        {
            if (first > next)
            {
                ranges.Add((next, first - 1));
            }

            next = last + 1;
        }

        if (next <= MaxRune)
        {
            ranges.Add((next, MaxRune));
        }

        return new RuneSet([.. ranges]);
    }

    /// <summary>With every code point that differs from a member only in case.</summary>
    public RuneSet Fold()
    {
        List<(int First, int Last)> ranges = [.. Ranges];
        foreach (int[] orbit in CaseFolding.Orbits)
        {
            if (Array.Exists(orbit, Contains))
            {
                ranges.AddRange(orbit.Select(rune => (rune, rune)));
            }
        }

        return Of(ranges);
    }

    public bool Contains(int rune)
    {
        int low = 0;
        int high = Ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (rune < Ranges[middle].First)
            {
                high = middle - 1;
            }
            else if (rune > Ranges[middle].Last)
            {
                low = middle + 1;
            }
            else
            {
                return true;
            }
        }

        return false;
    }
}
