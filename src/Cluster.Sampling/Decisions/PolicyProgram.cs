namespace Cluster.Sampling.Decisions;

/// <summary>
/// A policy set at work: reads each resource and span once as it arrives, and later decides from what was gathered.
/// Used by one thread at a time; allocates nothing on arrival or decision.
/// </summary>
public sealed class PolicyProgram
{
    /// <summary>The set this program runs.</summary>
    public PolicySet Set => throw new NotImplementedException();

    /// <summary>Sets the bits of the conditions that the resource meets.</summary>
    /// <param name="resource">A well-formed <c>Resource</c> message; may be empty.</param>
    /// <param name="conditions">At least <see cref="PolicySet.ConditionWords"/> long; bits are only ever added.</param>
    public void ScanResource(ReadOnlySpan<byte> resource, Span<ulong> conditions) => throw new NotImplementedException();

    /// <summary>Reads a span's facts and sets the bits of the conditions that it meets, in one pass over its bytes.</summary>
    /// <param name="span">A well-formed <c>Span</c> message.</param>
    /// <param name="conditions">At least <see cref="PolicySet.ConditionWords"/> long; bits are only ever added.</param>
    /// <param name="facts">IDs and times.</param>
    public void ScanSpan(ReadOnlySpan<byte> span, Span<ulong> conditions, out SpanFacts facts) => throw new NotImplementedException();

    /// <summary>Decides. Rate budgets are drawn from only by the policy whose vote decides.</summary>
    /// <param name="evidence">What was gathered.</param>
    /// <param name="budgets">Where rate limits draw from.</param>
    /// <param name="nowMilliseconds">Monotonic time.</param>
    /// <param name="votes">One for each policy, written here.</param>
    public Verdict Decide(in TraceEvidence evidence, IBudgets budgets, long nowMilliseconds, Span<Vote> votes) => throw new NotImplementedException();

    /// <summary>Puts votes into words. Allocates: for the admin endpoint and the command line only.</summary>
    public IReadOnlyList<PolicyVote> Explain(in TraceEvidence evidence, ReadOnlySpan<Vote> votes) => throw new NotImplementedException();
}
