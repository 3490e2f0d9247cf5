using System.Globalization;

namespace Cluster.Sampling.Policies.Re2;

/// <summary>Parses character classes and escapes of RE2 expressions.</summary>
internal sealed class Re2ClassParser(int[] pattern)
{
    private static readonly Dictionary<string, RuneSet> Posix = new(StringComparer.Ordinal)
    {
        ["alnum"] = RuneSet.Of(('0', '9'), ('A', 'Z'), ('a', 'z')),
        ["alpha"] = RuneSet.Of(('A', 'Z'), ('a', 'z')),
        ["ascii"] = RuneSet.Of((0, 0x7F)),
        ["blank"] = RuneSet.Of(('\t', '\t'), (' ', ' ')),
        ["cntrl"] = RuneSet.Of((0, 0x1F), (0x7F, 0x7F)),
        ["digit"] = RuneSet.Digits,
        ["graph"] = RuneSet.Of(('!', '~')),
        ["lower"] = RuneSet.Of(('a', 'z')),
        ["print"] = RuneSet.Of((' ', '~')),
        ["punct"] = RuneSet.Of(('!', '/'), (':', '@'), ('[', '`'), ('{', '~')),
        ["space"] = RuneSet.Of(('\t', '\r'), (' ', ' ')),
        ["upper"] = RuneSet.Of(('A', 'Z')),
        ["word"] = RuneSet.Words,
        ["xdigit"] = RuneSet.Of(('0', '9'), ('A', 'F'), ('a', 'f')),
    };

    /// <summary>Letters of the general categories, in the order of <see cref="UnicodeCategory"/>.</summary>
    private static readonly string[] Categories =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    /// <summary>Parses from a <c>[</c> to behind its <c>]</c>.</summary>
    public RuneSet ParseBrackets(ref int at, bool foldCase)
    {
        at++;
        bool negated = At(at) == '^';
        at += negated ? 1 : 0;
        List<(int First, int Last)> ranges = [];
        for (bool first = true; first || At(at) != ']'; first = false)
        {
            if (at >= pattern.Length)
            {
                throw new Re2Exception("missing closing ]");
            }

            if ((TryParsePosix(ref at, foldCase) ?? TryParseEscapedClass(ref at, foldCase)) is { } group)
            {
                ranges.AddRange(group.Ranges);
                continue;
            }

            int low = ParseClassRune(ref at);
            int high = low;
            if (At(at) == '-' && At(at + 1) is not ']' and not -1)
            {
                at++;
                high = ParseClassRune(ref at);
                if (high < low)
                {
                    throw new Re2Exception("invalid character class range");
                }
            }

            RuneSet range = RuneSet.Of((low, high));
            ranges.AddRange(foldCase ? range.Fold().Ranges : range.Ranges);
        }

        at++;
        RuneSet set = RuneSet.Of(ranges);
        return negated ? set.Negate() : set;
    }

    /// <summary>Parses <c>\d \D \s \S \w \W \pN \PN \p{Name}</c>; null when something else is there.</summary>
    public RuneSet? TryParseEscapedClass(ref int at, bool foldCase)
    {
        if (At(at) != '\\')
        {
            return null;
        }

        int letter = At(at + 1);
        if (letter is 'p' or 'P')
        {
            return ParseUnicodeClass(ref at, foldCase);
        }

        RuneSet? set = letter switch
        {
            'd' or 'D' => RuneSet.Digits,
            's' or 'S' => RuneSet.Spaces,
            'w' or 'W' => RuneSet.Words,
            _ => null,
        };
        if (set is null)
        {
            return null;
        }

        at += 2;
        return Finish(set, foldCase, negated: letter is 'D' or 'S' or 'W');
    }

    /// <summary>Parses an escape that stands for one code point.</summary>
    public int ParseEscapedRune(ref int at)
    {
        int start = at;
        int c = At(at + 1);
        at += 2;
        switch (c)
        {
            case -1:
                throw new Re2Exception("trailing backslash at end of expression");
            case >= '1' and <= '7' when At(at) is >= '0' and <= '7':
            case '0':
                int octal = c - '0';
                for (int i = 0; i < 2 && At(at) is >= '0' and <= '7'; i++)
                {
                    octal = octal * 8 + At(at++) - '0';
                }

                return octal;
            case 'x' when TryParseHex(ref at, out int rune):
                return rune;
            case 'a':
                return '\a';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'v':
                return '\v';
            case < 0x80 when !char.IsAsciiLetterOrDigit((char)c):
                return c;
            default:
                throw new Re2Exception(
                    $"invalid escape sequence: "
                    + $"`\\{char.ConvertFromUtf32(pattern[start + 1])}`{(c is >= '1' and <= '9' ? " (no back references)" : "")}");
        }
    }

    private int ParseClassRune(ref int at) =>
        At(at) switch
        {
            -1 => throw new Re2Exception("missing closing ]"),
            '\\' => ParseEscapedRune(ref at),
            _ => pattern[at++],
        };

    private bool TryParseHex(ref int at, out int rune)
    {
        rune = 0;
        bool braces = At(at) == '{';
        at += braces ? 1 : 0;
        int digits = 0;
        while (At(at) is var c and not -1 && c < 0x80 && char.IsAsciiHexDigit((char)c) && (braces || digits < 2))
        {
            rune = rune * 16 + Convert.ToInt32(((char)c).ToString(), 16);
            if (rune > RuneSet.MaxRune)
            {
                return false;
            }

            digits++;
            at++;
        }

        if (!braces)
        {
            return digits == 2;
        }

        return digits > 0 && At(at++) == '}';
    }

    private RuneSet? TryParsePosix(ref int at, bool foldCase)
    {
        if (At(at) != '[' || At(at + 1) != ':')
        {
            return null;
        }

        for (int end = at + 2; end + 1 < pattern.Length; end++)
        {
            if (pattern[end] == ':' && pattern[end + 1] == ']')
            {
                bool negated = At(at + 2) == '^';
                int from = at + (negated ? 3 : 2);
                if (Posix.GetValueOrDefault(Text(Math.Min(from, end), end)) is not { } set)
                {
                    throw new Re2Exception($"invalid character class range: `{Text(at, end + 2)}`");
                }

                at = end + 2;
                return Finish(set, foldCase, negated);
            }
        }

        return null;
    }

    private RuneSet ParseUnicodeClass(ref int at, bool foldCase)
    {
        bool negated = At(at + 1) == 'P';
        int from = at + 2;
        int end = from + 1;
        if (At(from) == '{')
        {
            from++;
            end = Array.IndexOf(pattern, '}', from);
            at = end + 1;
        }
        else
        {
            at = end;
        }

        if (end < 0 || from >= pattern.Length)
        {
            throw new Re2Exception("invalid character class range: \\p without a name");
        }

        string name = Text(from, end);
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }

        return Finish(UnicodeSet(name), foldCase, negated);
    }

    private static RuneSet UnicodeSet(string name)
    {
        switch (name)
        {
            case "Any":
                return RuneSet.All;
            case "ASCII":
                return Posix["ascii"];
            case "LC":
                return RuneSet.Category(c => Categories[(int)c] is "Lu" or "Ll" or "Lt");
            case "L" or "M" or "N" or "Z" or "P" or "S":
                return RuneSet.Category(c => Categories[(int)c][0] == name[0]);
            case "C":
                return RuneSet.Category(c => Categories[(int)c] is "Cc" or "Cf" or "Cs" or "Co");
            default:
                int category = Array.IndexOf(Categories, name);
                return category >= 0
                    ? RuneSet.Category(c => (int)c == category)
                    : throw new Re2Exception($"\\p{{{name}}}: only general categories such as L, Lu and Nd are supported, no scripts");
        }
    }

    private static RuneSet Finish(RuneSet set, bool foldCase, bool negated)
    {
        set = foldCase ? set.Fold() : set;
        return negated ? set.Negate() : set;
    }

    private string Text(int from, int end) => string.Concat(pattern[from..end].Select(char.ConvertFromUtf32));

    private int At(int index) => index < pattern.Length ? pattern[index] : -1;
}
