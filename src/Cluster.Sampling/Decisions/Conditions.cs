namespace Cluster.Sampling.Decisions;

/// <summary>A question to the value of one attribute. Immutable, except in what <see cref="ForProgram"/> returns.</summary>
internal abstract class AttributeCondition
{
    /// <summary>Whether the value meets the condition. Must not allocate, whatever the value.</summary>
    public abstract bool IsMet(in AttributeValue value, bool onResource);

    /// <summary>Values that took too much work to judge, and so did not meet it.</summary>
    public virtual long GivenUp => 0;

    /// <summary>The condition for one worker loop: itself, or one with a cache of its own.</summary>
    public virtual AttributeCondition ForProgram() => this;
}

/// <summary>The members that a tracestate condition accepts. Immutable.</summary>
/// <param name="Key">The member's key, UTF-8.</param>
/// <param name="Values">Its accepted values.</param>
internal sealed record TraceStateCondition(byte[] Key, ByteStrings Values);

/// <summary>
/// Everything that the policies of a set ask of single resources and spans, each question numbered: the bit of its answer. Filled by the
/// compiler, then only read.
/// </summary>
internal sealed class Conditions
{
    private readonly List<(byte[] Key, AttributeCondition Condition, int Bit)> _attributes = [];
    private readonly List<(TraceStateCondition Condition, int Bit)> _traceStates = [];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>64-bit words that hold an answer each, at least one.</summary>
    public int Words => Math.Max(1, (Count + 63) / 64);

    /// <summary>Bit of each status code 0 to 2, or -1.</summary>
    public int[] StatusBits { get; } = [-1, -1, -1];

    /// <summary>Bit of "the sampled flag is set", or -1.</summary>
    public int SampledFlagBit { get; private set; } = -1;

    /// <summary>Questions to attributes.</summary>
    public IReadOnlyList<(byte[] Key, AttributeCondition Condition, int Bit)> Attributes => _attributes;

    /// <summary>Questions to the tracestate.</summary>
    public IReadOnlyList<(TraceStateCondition Condition, int Bit)> TraceStates => _traceStates;

    /// <summary>Asks an attribute of every resource and span; only the first with that key counts in each.</summary>
    public int AddAttribute(byte[] key, AttributeCondition condition)
    {
        _attributes.Add((key, condition, Count));
        return Count++;
    }

    /// <summary>Asks for spans with a status code, 0 to 2.</summary>
    public int AddStatus(int code) => StatusBits[code] < 0 ? StatusBits[code] = Count++ : StatusBits[code];

    /// <summary>Asks for spans with the W3C sampled flag.</summary>
    public int AddSampledFlag() => SampledFlagBit < 0 ? SampledFlagBit = Count++ : SampledFlagBit;

    /// <summary>Asks for spans with a tracestate member.</summary>
    public int AddTraceState(TraceStateCondition condition)
    {
        _traceStates.Add((condition, Count));
        return Count++;
    }
}

/// <summary>Reading and writing condition bits.</summary>
internal static class ConditionBits
{
    /// <summary>Whether a bit is set.</summary>
    public static bool IsSet(this ReadOnlySpan<ulong> words, int bit) => (words[bit >> 6] & (1UL << bit)) != 0;

    /// <summary>Sets a bit.</summary>
    public static void Set(this Span<ulong> words, int bit) => words[bit >> 6] |= 1UL << bit;
}
