using System.Buffers;
using System.Text;

namespace Cluster.Sampling.Policies.Re2;

/// <summary>
/// Runs a program over UTF-8 text, each invalid byte counting as U+FFFD as in Go. Time is linear in the text: the automaton is made
/// deterministic as texts ask for it, one table look-up a code point once its states are known. States are forgotten when
/// there are too many, and a match that needs too many new ones is given up: it counts as none. For one thread; keeps its memory.
/// </summary>
internal sealed class Re2Matcher
{
    /// <summary>What transitions lead to, besides the first transition of another state.</summary>
    private const int Unknown = 0;
    private const int Dead = 1;
    private const int Matched = 2;
    private const int FirstState = 3;
    private const int MaxTransitions = 1 << 17;
    private const int MaxSeeds = 1 << 17;

    /// <summary>Instructions looked at for new states in one match, at most: a few milliseconds, more for very large expressions.</summary>
    private const int BaseWork = 1_000_000;
    private const int WorkPerInstruction = 200;

    private readonly Re2Program _program;
    private readonly Re2Instruction[] _code;
    private readonly byte[] _ascii;
    private readonly int _stride;
    private readonly int _end;
    private readonly int _maxStates;
    private readonly int _maxWork;
    private readonly Dictionary<ulong, int> _stateByHash = [];
    private readonly Re2Places _places;
    private readonly int[] _stack;
    private readonly int[] _visited;
    private readonly int[] _queued;
    private int _generation;

    private State[] _states = new State[16];
    private int[] _transitions = [];
    private int[] _seeds = new int[64];
    private int _stateCount;
    private int _seedCount;
    private int _work;

    public Re2Matcher(Re2Program program)
    {
        _program = program;
        _code = [.. program.Code];
        _ascii = program.Classes.Ascii.ToArray();
        _end = program.Classes.Count;
        _stride = _end + 1;
        _maxStates = Math.Max(16, MaxTransitions / _stride);
        _maxWork = BaseWork + WorkPerInstruction * _code.Length;
        _places = new Re2Places(program);
        _stack = new int[_code.Length * 3 + 2];
        _visited = new int[_code.Length];
        _queued = new int[_code.Length];
        Forget();
    }

    /// <summary>Matches given up because they needed too much work.</summary>
    public long GivenUp { get; private set; }

    /// <summary>Whether there is a match anywhere in the text. Allocates only for new states, up to a fixed amount of memory.</summary>
    public bool IsMatch(ReadOnlySpan<byte> text)
    {
        _work = 0;
        ReadOnlySpan<byte> ascii = _ascii;
        ReadOnlySpan<int> transitions = _transitions;
        int row = FirstState * _stride;
        int i = 0;
        while (i < text.Length)
        {
            byte b = text[i++];
            int runeClass = b < 0x80 ? ascii[b] : ReadRune(text, ref i);
            int next = transitions[row + runeClass];
            if (next <= Matched)
            {
                next = next == Unknown ? Step(row / _stride, runeClass) : next;
                if (next <= Matched)
                {
                    return next == Matched;
                }

                transitions = _transitions;
            }

            row = next;
        }

        int last = transitions[row + _end];
        return (last != Unknown ? last : Step(row / _stride, _end)) == Matched;
    }

    /// <summary>The class of the code point whose first byte is before <paramref name="next"/>, which moves behind it.</summary>
    private int ReadRune(ReadOnlySpan<byte> text, ref int next)
    {
        bool valid = Rune.DecodeFromUtf8(text[(next - 1)..], out Rune rune, out int length) == OperationStatus.Done;
        next += valid ? length - 1 : 0;
        return _program.Classes.Find(valid ? rune.Value : Rune.ReplacementChar.Value);
    }

    /// <summary>Works out a transition that was not needed before. The end of the text leads to Matched or Dead.</summary>
    private int Step(int state, int runeClass)
    {
        if (_work > _maxWork)
        {
            GivenUp++;
            return Dead;
        }

        // The seeds of the next state are gathered behind those in use.
        (int first, int count, Re2Place before) = _states[state];
        EnsureSeedRoom();
        int from = _seedCount;
        bool matched = Follow(first, count, before, runeClass);
        int target = matched ? Matched : runeClass == _end ? Dead : Unknown;
        if (target == Unknown)
        {
            if (!_program.StartsAtBeginOnly)
            {
                AddSeed(_program.Start);
            }

            target = _seedCount == from ? Dead : StateOf(from, _places.Of(runeClass), ref state) * _stride;
        }
        else
        {
            _seedCount = from;
        }

        if (state > 0)
        {
            _transitions[state * _stride + runeClass] = target;
        }

        return target;
    }

    /// <summary>Goes from the seeds of a state over one class of code points; true when a match is reached before it.</summary>
    private bool Follow(int first, int count, Re2Place before, int runeClass)
    {
        _generation++;
        int depth = 0;
        for (int i = 0; i < count; i++)
        {
            _stack[depth++] = _seeds[first + i];
        }

        while (depth > 0)
        {
            int at = _stack[--depth];
            if (_visited[at] == _generation)
            {
                continue;
            }

            _visited[at] = _generation;
            _work++;
            ref readonly Re2Instruction instruction = ref _code[at];
            switch (instruction.Op)
            {
                case Re2Op.Match:
                    return true;
                case Re2Op.Fork:
                    _stack[depth++] = instruction.Other;
                    _stack[depth++] = instruction.Next;
                    break;
                case Re2Op.Assert:
                    if (_places.Holds((Re2Assertion)instruction.Operand, before, runeClass))
                    {
                        _stack[depth++] = instruction.Next;
                    }

                    break;
                default:
                    if (runeClass != _end && _program.Contains(instruction.Operand, runeClass))
                    {
                        AddSeed(instruction.Next);
                    }

                    break;
            }
        }

        return false;
    }

    private void AddSeed(int at)
    {
        if (_queued[at] != _generation)
        {
            _queued[at] = _generation;
            _seeds[_seedCount++] = at;
        }
    }

    /// <summary>Finds or makes the state of the seeds from <paramref name="from"/> on.</summary>
    /// <param name="from">Where they begin; they go to the end.</param>
    /// <param name="place">What was read last.</param>
    /// <param name="origin">The state the step began in; 0 when all states had to be forgotten.</param>
    private int StateOf(int from, Re2Place place, ref int origin)
    {
        Span<int> seeds = _seeds.AsSpan(from, _seedCount - from);
        seeds.Sort();
        ulong hash = Hash(seeds, place);
        for (; _stateByHash.TryGetValue(hash, out int found); hash++)
        {
            (int first, int count, Re2Place before) = _states[found];
            if (before == place && seeds.SequenceEqual(_seeds.AsSpan(first, count)))
            {
                _seedCount = from;
                return found;
            }
        }

        if (_stateCount == _maxStates || _seedCount > MaxSeeds)
        {
            origin = 0;
            int[] kept = ArrayPool<int>.Shared.Rent(seeds.Length);
            int count = seeds.Length;
            seeds.CopyTo(kept);
            Forget();
            EnsureSeedRoom();
            from = _seedCount;
            kept.AsSpan(0, count).CopyTo(_seeds.AsSpan(from));
            _seedCount += count;
            ArrayPool<int>.Shared.Return(kept);
            hash = Hash(_seeds.AsSpan(from, count), place);
        }

        return Remember(from, place, hash);
    }

    private int Remember(int from, Re2Place place, ulong hash)
    {
        if (_stateCount == _states.Length)
        {
            Array.Resize(ref _states, Math.Min(_maxStates, _states.Length * 2));
            Array.Resize(ref _transitions, _states.Length * _stride);
        }

        int state = _stateCount++;
        _states[state] = new State(from, _seedCount - from, place);
        _stateByHash[hash] = state;
        return state;
    }

    private void Forget()
    {
        _stateByHash.Clear();
        if (_transitions.Length == 0)
        {
            _transitions = new int[_states.Length * _stride];
        }

        Array.Clear(_transitions);
        _stateCount = FirstState;
        _seedCount = 1;
        _seeds[0] = _program.Start;
        _stateCount++;
        _states[FirstState] = new State(0, 1, Re2Place.Begin);
        _stateByHash[Hash(_seeds.AsSpan(0, 1), Re2Place.Begin)] = FirstState;
    }

    private void EnsureSeedRoom()
    {
        if (_seeds.Length < _seedCount + _code.Length + 1)
        {
            Array.Resize(ref _seeds, Math.Max(_seeds.Length * 2, _seedCount + _code.Length + 1));
        }
    }

    private static ulong Hash(ReadOnlySpan<int> seeds, Re2Place place)
    {
        ulong hash = (ulong)place + 1;
        foreach (int seed in seeds)
        {
            hash = (hash ^ (uint)seed) * 0x9E3779B97F4A7C15UL;
            hash ^= hash >> 29;
        }

        return hash;
    }

    /// <summary>Where threads are after reading a code point, and what kind of code point that was.</summary>
    private readonly record struct State(int First, int Count, Re2Place Before);
}
