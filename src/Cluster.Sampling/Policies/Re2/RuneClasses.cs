namespace Cluster.Sampling.Policies.Re2;

/// <summary>Code points in as few classes as some sets tell apart, numbered from 0. Immutable, thread-safe.</summary>
internal sealed class RuneClasses
{
    private const int AsciiCount = 128;

    private readonly int[] _starts;
    private readonly int[] _classes;
    private readonly byte[] _ascii = new byte[AsciiCount];
    private readonly int[] _examples;

    public RuneClasses(IReadOnlyList<RuneSet> sets)
    {
        // Neighbouring code points that no set tells apart make an interval; intervals in the same sets make a class.
        SortedSet<int> starts = [0];
        foreach ((int first, int last) in sets.SelectMany(s => s.Ranges))
        {
            starts.Add(first);
            starts.Add(last + 1);
        }

        starts.Remove(RuneSet.MaxRune + 1);
        _starts = [.. starts];
        _classes = new int[_starts.Length];
        int count = 1;
        foreach (RuneSet set in sets)
        {
            Dictionary<(int Class, bool Inside), int> refined = [];
            for (int i = 0; i < _starts.Length; i++)
            {
                (int, bool) key = (_classes[i], set.Contains(_starts[i]));
                refined.TryAdd(key, refined.Count);
                _classes[i] = refined[key];
            }

            count = refined.Count;
        }

        // ASCII classes are numbered first, of which there are at most as many as code points: a byte holds each.
        Dictionary<int, int> renumbered = [];
        for (int i = 0; i < _classes.Length; i++)
        {
            renumbered.TryAdd(_classes[i], renumbered.Count);
            _classes[i] = renumbered[_classes[i]];
        }

        Count = count;
        _examples = new int[count];
        for (int i = _starts.Length - 1; i >= 0; i--)
        {
            _examples[_classes[i]] = _starts[i];
        }

        for (int rune = 0; rune < AsciiCount; rune++)
        {
            _ascii[rune] = (byte)Find(rune);
        }
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>Classes of the first 128 code points.</summary>
    public ReadOnlySpan<byte> Ascii => _ascii;

    /// <summary>The class of a code point.</summary>
    public int Find(int rune)
    {
        int index = Array.BinarySearch(_starts, rune);
        return _classes[index >= 0 ? index : ~index - 1];
    }

    /// <summary>Some code point of a class.</summary>
    public int Example(int runeClass) => _examples[runeClass];
}
