namespace Cluster.Sampling.Policies.Re2;

/// <summary>What an instruction of a <see cref="Re2Program"/> does.</summary>
internal enum Re2Op : byte
{
    /// <summary>Reads one code point of a set, then goes to Next.</summary>
    Read,

    /// <summary>Goes to Next and to Other.</summary>
    Fork,

    /// <summary>Goes to Next where an assertion holds.</summary>
    Assert,

    /// <summary>There is a match.</summary>
    Match,
}

/// <summary>One instruction; <paramref name="Operand"/> is the set's index, or the assertion.</summary>
internal readonly record struct Re2Instruction(Re2Op Op, int Operand, int Next, int Other = -1);

/// <summary>
/// RE2 expressions as one non-deterministic automaton over classes of code points: it says whether any of them matches anywhere.
/// Immutable, thread-safe.
/// </summary>
internal sealed class Re2Program
{
    private const int MaxInstructions = 100_000;

    private readonly List<Re2Instruction> _code = [];
    private readonly List<RuneSet> _sets = [];
    private readonly Dictionary<string, int> _setIndexes = new(StringComparer.Ordinal);
    private readonly bool[] _classInSet;

    private Re2Program(IReadOnlyList<string> patterns)
    {
        int match = Add(new Re2Instruction(Re2Op.Match, 0, -1));
        Re2Node[] choices = [.. patterns.Select(Re2Parser.Parse)];
        Start = Compile(choices.Length == 0 ? new Re2Node.Runes(RuneSet.None) : new Re2Node.Choice(choices), match);

        HasAssertions = _code.Exists(i => i.Op == Re2Op.Assert);
        Classes = new RuneClasses([.. _sets, .. HasAssertions ? (RuneSet[])[RuneSet.Newline, RuneSet.Words] : []]);
        _classInSet = new bool[_sets.Count * Classes.Count];
        for (int set = 0; set < _sets.Count; set++)
        {
            for (int c = 0; c < Classes.Count; c++)
            {
                _classInSet[set * Classes.Count + c] = _sets[set].Contains(Classes.Example(c));
            }
        }

        StartsAtBeginOnly = BeginsEverywhereWithText();
    }

    public IReadOnlyList<Re2Instruction> Code => _code;

    public RuneClasses Classes { get; }

    public int Start { get; }

    /// <summary>Whether it matters what stands before and after a place.</summary>
    public bool HasAssertions { get; }

    /// <summary>Whether a match can only begin where the text begins.</summary>
    public bool StartsAtBeginOnly { get; }

    /// <summary>Compiles expressions that are tried at once.</summary>
    /// <exception cref="Re2Exception">One of them is refused.</exception>
    public static Re2Program Compile(params IReadOnlyList<string> patterns) => new(patterns);

    /// <summary>Whether the code points of a class are in a set.</summary>
    public bool Contains(int set, int runeClass) => _classInSet[set * Classes.Count + runeClass];

    /// <summary>Writes the code of a node that goes on at <paramref name="next"/>; where it begins.</summary>
    private int Compile(Re2Node node, int next)
    {
        switch (node)
        {
            case Re2Node.Runes runes:
                return Add(new Re2Instruction(Re2Op.Read, IndexOf(runes.Set), next));
            case Re2Node.Assert assert:
                return Add(new Re2Instruction(Re2Op.Assert, (int)assert.Assertion, next));
            case Re2Node.Sequence sequence:
                for (int i = sequence.Parts.Length - 1; i >= 0; i--)
                {
                    next = Compile(sequence.Parts[i], next);
                }

                return next;
            case Re2Node.Choice choice:
                int start = Compile(choice.Parts[^1], next);
                for (int i = choice.Parts.Length - 2; i >= 0; i--)
                {
                    start = Add(new Re2Instruction(Re2Op.Fork, 0, Compile(choice.Parts[i], next), start));
                }

                return start;
            default:
                return CompileRepeat((Re2Node.Repeat)node, next);
        }
    }

    private int CompileRepeat(Re2Node.Repeat repeat, int next)
    {
        int start = next;
        if (repeat.Maximum < 0)
        {
            // The loop's head is written before its body, which leads back to it.
            int head = Add(new Re2Instruction(Re2Op.Fork, 0, -1, next));
            _code[head] = _code[head] with { Next = Compile(repeat.Part, head) };
            start = head;
        }

        for (int i = repeat.Minimum; i < repeat.Maximum; i++)
        {
            start = Add(new Re2Instruction(Re2Op.Fork, 0, Compile(repeat.Part, start), next));
        }

        for (int i = 0; i < repeat.Minimum; i++)
        {
            start = Compile(repeat.Part, start);
        }

        return start;
    }

    private int Add(Re2Instruction instruction)
    {
        if (_code.Count == MaxInstructions)
        {
            throw new Re2Exception("expression too large");
        }

        _code.Add(instruction);
        return _code.Count - 1;
    }

    private int IndexOf(RuneSet set)
    {
        string key = string.Join(',', set.Ranges);
        if (!_setIndexes.TryGetValue(key, out int index))
        {
            index = _sets.Count;
            _sets.Add(set);
            _setIndexes.Add(key, index);
        }

        return index;
    }

    private bool BeginsEverywhereWithText()
    {
        HashSet<int> seen = [];
        Stack<int> open = new([Start]);
        while (open.TryPop(out int at))
        {
            Re2Instruction instruction = _code[at];
            if (!seen.Add(at) || (instruction.Op == Re2Op.Assert && instruction.Operand == (int)Re2Assertion.BeginText))
            {
                continue;
            }

            if (instruction.Op is Re2Op.Read or Re2Op.Match)
            {
                return false;
            }

            open.Push(instruction.Next);
            if (instruction.Op == Re2Op.Fork)
            {
                open.Push(instruction.Other);
            }
        }

        return true;
    }
}
