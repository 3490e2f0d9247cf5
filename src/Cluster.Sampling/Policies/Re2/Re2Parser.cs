using System.Text;

namespace Cluster.Sampling.Policies.Re2;

/// <summary>
/// Parses RE2 syntax as Go's regexp package takes it by default (<see href="https://github.com/google/re2/wiki/Syntax"/>):
/// what it refuses is refused here. Unicode scripts are refused too. Throws <see cref="Re2Exception"/>.
/// </summary>
internal sealed class Re2Parser
{
    private const int MaxRepeat = 1000;
    private const int MaxHeight = 1000;
    private const int MaxLength = 64 * 1024;

    private readonly int[] _pattern;
    private readonly Re2ClassParser _classes;
    private readonly Stack<Group> _open = new();
    private Group _group = new(default);
    private Flags _flags;
    private int _at;

    private Re2Parser(int[] pattern)
    {
        _pattern = pattern;
        _classes = new Re2ClassParser(pattern);
    }

    [Flags]
    private enum Flags
    {
        None = 0,
        FoldCase = 1,
        MultiLine = 2,
        DotNewline = 4,
        Ungreedy = 8,
    }

    public static Re2Node Parse(string pattern)
    {
        if (pattern.Length > MaxLength)
        {
            throw new Re2Exception("expression too large");
        }

        List<int> runes = [];
        for (int i = 0; i < pattern.Length;)
        {
            if (!Rune.TryGetRuneAt(pattern, i, out Rune rune))
            {
                throw new Re2Exception("half a surrogate pair");
            }

            runes.Add(rune.Value);
            i += rune.Utf16SequenceLength;
        }

        return new Re2Parser([.. runes]).ParseAll();
    }

    private Re2Node ParseAll()
    {
        bool afterRepeat = false;
        while (_at < _pattern.Length)
        {
            afterRepeat = ParseOne(afterRepeat);
        }

        if (_open.Count > 0)
        {
            throw new Re2Exception("missing closing )");
        }

        return Checked(_group.Close());
    }

    /// <summary>Parses the next piece; whether it was a repetition, which cannot be repeated as it stands.</summary>
    private bool ParseOne(bool afterRepeat)
    {
        int c = _pattern[_at];
        switch (c)
        {
            case '(' when Peek(1) == '?':
                ParseFlags();
                return false;
            case '(':
                OpenGroup(1);
                return false;
            case ')':
                CloseGroup();
                return false;
            case '|':
                _group.NextBranch();
                break;
            case '^':
                Add(new Re2Node.Assert(Has(Flags.MultiLine) ? Re2Assertion.BeginLine : Re2Assertion.BeginText));
                break;
            case '$':
                Add(new Re2Node.Assert(Has(Flags.MultiLine) ? Re2Assertion.EndLine : Re2Assertion.EndText));
                break;
            case '.':
                Add(new Re2Node.Runes(Has(Flags.DotNewline) ? RuneSet.All : RuneSet.Newline.Negate()));
                break;
            case '[':
                Add(new Re2Node.Runes(_classes.ParseBrackets(ref _at, Has(Flags.FoldCase))));
                return false;
            case '*' or '+' or '?':
                _at++;
                Repeat(c == '+' ? 1 : 0, c == '?' ? 1 : -1, counted: false, afterRepeat);
                return true;
            case '{' when TryParseCounts(out int minimum, out int maximum):
                Repeat(minimum, maximum, counted: true, afterRepeat);
                return true;
            case '\\':
                ParseEscape();
                return false;
            default:
                Add(Literal(c));
                break;
        }

        _at++;
        return false;
    }

    private void ParseEscape()
    {
        Re2Assertion? assertion = Peek(1) switch
        {
            'A' => Re2Assertion.BeginText,
            'z' => Re2Assertion.EndText,
            'b' => Re2Assertion.WordBoundary,
            'B' => Re2Assertion.NoWordBoundary,
            _ => null,
        };
        if (assertion is { } found)
        {
            _at += 2;
            Add(new Re2Node.Assert(found));
        }
        else if (Peek(1) == 'Q')
        {
            _at += 2;
            while (_at < _pattern.Length && !(_pattern[_at] == '\\' && Peek(1) == 'E'))
            {
                Add(Literal(_pattern[_at++]));
            }

            _at = Math.Min(_at + 2, _pattern.Length);
        }
        else if (_classes.TryParseEscapedClass(ref _at, Has(Flags.FoldCase)) is { } set)
        {
            Add(new Re2Node.Runes(set));
        }
        else
        {
            Add(Literal(_classes.ParseEscapedRune(ref _at)));
        }
    }

    /// <summary>Parses <c>(?i)</c>, <c>(?i:</c>, <c>(?:</c>, <c>(?P&lt;name&gt;</c> and <c>(?&lt;name&gt;</c>.</summary>
    private void ParseFlags()
    {
        int name = Peek(2) == 'P' && Peek(3) == '<' ? 4 : Peek(2) == '<' ? 3 : 0;
        if (name > 0)
        {
            int end = Array.IndexOf(_pattern, '>', Math.Min(_at + name, _pattern.Length));
            bool valid = end > _at + name;
            for (int i = _at + name; valid && i < end; i++)
            {
                valid = _pattern[i] is '_' or (>= '0' and <= '9') or (>= 'A' and <= 'Z') or (>= 'a' and <= 'z');
            }

            if (!valid)
            {
                throw new Re2Exception("invalid named capture (look-around is not supported either)");
            }

            OpenGroup(end + 1 - _at);
            return;
        }

        Flags set = _flags;
        bool negative = false;
        bool anyFlag = true;
        for (int i = _at + 2; i < _pattern.Length; i++)
        {
            Flags flag = FlagOf(_pattern[i]);
            if (flag != Flags.None)
            {
                set = negative ? set & ~flag : set | flag;
                anyFlag = true;
            }
            else if (_pattern[i] == '-' && !negative)
            {
                negative = true;
                anyFlag = false;
            }
            else if (_pattern[i] is ':' or ')' && anyFlag)
            {
                if (_pattern[i] == ':')
                {
                    OpenGroup(0);
                }

                _flags = set;
                _at = i + 1;
                return;
            }
            else
            {
                break;
            }
        }

        throw new Re2Exception("invalid or unsupported syntax after (? (look-around, atomic groups and comments are not supported)");
    }

    private static Flags FlagOf(int c) => c switch
    {
        'i' => Flags.FoldCase,
        'm' => Flags.MultiLine,
        's' => Flags.DotNewline,
        'U' => Flags.Ungreedy,
        _ => Flags.None,
    };

    private void OpenGroup(int length)
    {
        if (_open.Count == MaxHeight)
        {
            throw new Re2Exception("expression nests too deeply");
        }

        _open.Push(_group);
        _group = new Group(_flags);
        _at += length;
    }

    private void CloseGroup()
    {
        if (!_open.TryPop(out Group? outer))
        {
            throw new Re2Exception("unexpected )");
        }

        _flags = _group.FlagsBefore;
        Re2Node content = Checked(_group.Close());
        _group = outer;
        Add(content);
        _at++;
    }

    private void Repeat(int minimum, int maximum, bool counted, bool afterRepeat)
    {
        if (afterRepeat)
        {
            throw new Re2Exception("invalid nested repetition operator");
        }

        // A following ? only says which match is preferred.
        _at += Peek(0) == '?' ? 1 : 0;
        if (_group.Branch.Count == 0)
        {
            throw new Re2Exception("missing argument to repetition operator");
        }

        Re2Node repeat = Checked(new Re2Node.Repeat(_group.Branch[^1], minimum, maximum, counted));
        if (counted && (minimum >= 2 || maximum >= 2) && !repeat.AllowsCopies(MaxRepeat))
        {
            throw new Re2Exception("invalid repeat count: nested repetitions multiply to more than 1000");
        }

        _group.Branch[^1] = repeat;
    }

    /// <summary>Parses <c>{n}</c>, <c>{n,}</c> and <c>{n,m}</c>; anything else after the brace makes it a literal.</summary>
    private bool TryParseCounts(out int minimum, out int maximum)
    {
        maximum = 0;
        int at = _at + 1;
        if (!TryParseNumber(ref at, out minimum))
        {
            return false;
        }

        maximum = minimum;
        if (At(at) == ',')
        {
            at++;
            maximum = -1;
            if (At(at) != '}' && !TryParseNumber(ref at, out maximum))
            {
                return false;
            }
        }

        if (At(at) != '}')
        {
            return false;
        }

        if (minimum > MaxRepeat || maximum > MaxRepeat || (maximum >= 0 && minimum > maximum))
        {
            throw new Re2Exception("invalid repeat count: at most 1000, and the first not above the second");
        }

        _at = at + 1;
        return true;
    }

    private bool TryParseNumber(ref int at, out int number)
    {
        number = 0;
        int start = at;
        while (At(at) is >= '0' and <= '9' and var digit)
        {
            number = Math.Min(number * 10 + digit - '0', MaxRepeat + 1);
            at++;
        }

        return at > start && !(at > start + 1 && _pattern[start] == '0');
    }

    private static Re2Node Checked(Re2Node node) =>
        node.Height <= MaxHeight ? node : throw new Re2Exception("expression nests too deeply");

    private Re2Node.Runes Literal(int rune)
    {
        RuneSet set = RuneSet.One(rune);
        return new Re2Node.Runes(Has(Flags.FoldCase) ? set.Fold() : set);
    }

    private void Add(Re2Node node) => _group.Branch.Add(node);

    private bool Has(Flags flag) => (_flags & flag) != 0;

    private int Peek(int ahead) => At(_at + ahead);

    private int At(int index) => index < _pattern.Length ? _pattern[index] : -1;

    /// <summary>An open parenthesis: finished branches, the current one, and the flags to go back to.</summary>
    private sealed class Group(Flags flagsBefore)
    {
        private readonly List<Re2Node> _branches = [];

        public Flags FlagsBefore => flagsBefore;

        public List<Re2Node> Branch { get; private set; } = [];

        public void NextBranch()
        {
            _branches.Add(Joined());
            Branch = [];
        }

        public Re2Node Close() => _branches.Count == 0 ? Joined() : new Re2Node.Choice([.. _branches, Joined()]);

        private Re2Node Joined() => Branch.Count == 1 ? Branch[0] : new Re2Node.Sequence([.. Branch]);
    }
}
