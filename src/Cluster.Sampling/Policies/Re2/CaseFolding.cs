using System.Text;

namespace Cluster.Sampling.Policies.Re2;

/// <summary>
/// Unicode simple case folding (<see href="https://www.unicode.org/Public/UCD/latest/ucd/CaseFolding.txt"/>, statuses C and S), got from
/// the simple upper and lower case mappings of the runtime and the few foldings these do not give.
/// </summary>
internal static class CaseFolding
{
    private const int LastCased = 0x1E943;

    /// <summary>Foldings onto ASCII and others that the runtime leaves out of its invariant mappings.</summary>
    private static readonly (int Rune, int Other)[] Further =
    [
        (0x017F, 's'), (0x212A, 'k'), (0x212B, 0xE5), (0x2126, 0x3C9), (0x1E9E, 0xDF), (0x03F4, 0x3B8),
    ];

    /// <summary>Dotted capital and dotless small i fold to nothing else without a Turkish locale.</summary>
    private static readonly int[] Alone = [0x0130, 0x0131];

    private static readonly Lazy<int[][]> All = new(Build);

    /// <summary>Code points that differ in case only, in groups of two and more.</summary>
    public static int[][] Orbits => All.Value;

    private static int[][] Build()
    {
        Dictionary<int, int> representative = [];
        for (int rune = 'A'; rune <= LastCased; rune++)
        {
            if (Rune.IsValid(rune) && Array.IndexOf(Alone, rune) < 0)
            {
                Join(representative, rune, Rune.ToUpperInvariant(new Rune(rune)).Value);
                Join(representative, rune, Rune.ToLowerInvariant(new Rune(rune)).Value);
            }
        }

        foreach ((int rune, int other) in Further)
        {
            Join(representative, rune, other);
        }

        return
        [
            .. representative.Keys
                .GroupBy(rune => Find(representative, rune))
                .Where(group => group.Count() > 1)
                .Select(group => group.Order().ToArray()),
        ];
    }

    private static void Join(Dictionary<int, int> representative, int rune, int other)
    {
        if (rune != other && Array.IndexOf(Alone, other) < 0)
        {
            representative.TryAdd(rune, rune);
            representative.TryAdd(other, other);
            representative[Find(representative, rune)] = Find(representative, other);
        }
    }

    private static int Find(Dictionary<int, int> representative, int rune)
    {
        while (representative[rune] != rune)
        {
            rune = representative[rune];
        }

        return rune;
    }
}
