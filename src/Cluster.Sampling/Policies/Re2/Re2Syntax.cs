namespace Cluster.Sampling.Policies.Re2;

/// <summary>Conditions on a place between two code points.</summary>
internal enum Re2Assertion : byte
{
    BeginText,
    EndText,
    BeginLine,
    EndLine,
    WordBoundary,
    NoWordBoundary,
}

/// <summary>A part of a parsed expression. Captures and greediness are gone: only whether there is a match matters.</summary>
internal abstract record Re2Node(int Height)
{
    /// <summary>Parts in a row; none match the empty string.</summary>
    public sealed record Sequence(Re2Node[] Parts) : Re2Node(HeightOver(Parts));

    /// <summary>Any of the parts.</summary>
    public sealed record Choice(Re2Node[] Parts) : Re2Node(HeightOver(Parts));

    /// <summary>One code point out of a set.</summary>
    public sealed record Runes(RuneSet Set) : Re2Node(1);

    /// <summary>A condition on the place.</summary>
    public sealed record Assert(Re2Assertion Assertion) : Re2Node(1);

    /// <summary>Repetition; <paramref name="Maximum"/> is -1 for none. <paramref name="Counted"/> when written in braces.</summary>
    public sealed record Repeat(Re2Node Part, int Minimum, int Maximum, bool Counted) : Re2Node(Part.Height + 1);

    /// <summary>Whether no nest of counted repetitions in it asks for more than <paramref name="limit"/> copies of anything.</summary>
    public bool AllowsCopies(int limit)
    {
        switch (this)
        {
            case Repeat { Counted: true, Maximum: 0 }:
                return true;
            case Repeat { Counted: true } repeat:
                int copies = repeat.Maximum < 0 ? repeat.Minimum : repeat.Maximum;
                return copies <= limit && repeat.Part.AllowsCopies(copies > 0 ? limit / copies : limit);
            case Repeat repeat:
                return repeat.Part.AllowsCopies(limit);
            case Sequence sequence:
                return Array.TrueForAll(sequence.Parts, p => p.AllowsCopies(limit));
            case Choice choice:
                return Array.TrueForAll(choice.Parts, p => p.AllowsCopies(limit));
            default:
                return true;
        }
    }

    private static int HeightOver(Re2Node[] parts) => 1 + (parts.Length == 0 ? 0 : parts.Max(p => p.Height));
}

/// <summary>Why an expression is refused.</summary>
internal sealed class Re2Exception(string message) : Exception(message);
