namespace Cluster.Sampling.Policies.Re2;

/// <summary>What stands before a place, as far as assertions care.</summary>
internal enum Re2Place : byte
{
    Begin,
    Newline,
    Word,
    Other,
}

/// <summary>Which assertions hold between code points of which classes.</summary>
internal sealed class Re2Places
{
    private readonly Re2Place[] _places;
    private readonly int _end;

    public Re2Places(Re2Program program)
    {
        _end = program.Classes.Count;
        _places = new Re2Place[_end];
        for (int c = 0; c < _end; c++)
        {
            int example = program.Classes.Example(c);
            _places[c] = !program.HasAssertions ? Re2Place.Other
                : RuneSet.Newline.Contains(example) ? Re2Place.Newline
                : RuneSet.Words.Contains(example) ? Re2Place.Word
                : Re2Place.Other;
        }
    }

    /// <summary>What a class leaves behind it.</summary>
    public Re2Place Of(int runeClass) => _places[runeClass];

    /// <summary>Whether an assertion holds; the class after the last is the end of the text.</summary>
    public bool Holds(Re2Assertion assertion, Re2Place before, int runeClass)
    {
        bool atEnd = runeClass == _end;
        Re2Place after = atEnd ? Re2Place.Other : _places[runeClass];
        return assertion switch
        {
            Re2Assertion.BeginText => before == Re2Place.Begin,
            Re2Assertion.EndText => atEnd,
            Re2Assertion.BeginLine => before is Re2Place.Begin or Re2Place.Newline,
            Re2Assertion.EndLine => atEnd || after == Re2Place.Newline,
            Re2Assertion.WordBoundary => (before == Re2Place.Word) != (after == Re2Place.Word),
            _ => (before == Re2Place.Word) == (after == Re2Place.Word),
        };
    }
}
