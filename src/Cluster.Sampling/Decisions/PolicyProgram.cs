using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Decisions;

/// <summary>
/// A policy set at work: reads each resource and span once as it arrives, and later decides from what was gathered.
/// Used by one thread at a time; allocates nothing on arrival or decision.
/// </summary>
public sealed class PolicyProgram
{
    private readonly SpanScanner _scanner;

    internal PolicyProgram(PolicySet set)
    {
        Set = set;
        _scanner = new SpanScanner(set.Conditions);
    }

    /// <summary>The set this program runs.</summary>
    public PolicySet Set { get; }

    /// <summary>
    /// Attribute values so far that an expression gave up on, because deciding on them took too much work: they count as no match.
    /// Read by the thread that uses the program.
    /// </summary>
    public long MatchesGivenUp => _scanner.MatchesGivenUp;

    /// <summary>Sets the bits of the conditions that the resource meets.</summary>
    /// <param name="resource">A well-formed <c>Resource</c> message; may be empty. Reading stops where it is not well-formed.</param>
    /// <param name="conditions">At least <see cref="PolicySet.ConditionWords"/> long; bits are only ever added.</param>
    public void ScanResource(ReadOnlySpan<byte> resource, Span<ulong> conditions) => _scanner.ScanResource(resource, conditions);

    /// <summary>Reads a span's facts and sets the bits of the conditions that it meets, in one pass over its bytes.</summary>
    /// <param name="span">A well-formed <c>Span</c> message. Reading stops where it is not well-formed.</param>
    /// <param name="conditions">At least <see cref="PolicySet.ConditionWords"/> long; bits are only ever added.</param>
    /// <param name="facts">IDs and times.</param>
    public void ScanSpan(ReadOnlySpan<byte> span, Span<ulong> conditions, out SpanFacts facts) =>
        _scanner.ScanSpan(span, conditions, out facts);

    /// <summary>Decides. Rate budgets are drawn from only by the policy whose vote decides.</summary>
    /// <param name="evidence">What was gathered.</param>
    /// <param name="budgets">Where rate limits draw from.</param>
    /// <param name="nowMilliseconds">Monotonic time.</param>
    /// <param name="votes">One for each policy, written here.</param>
    /// <remarks>
    /// <c>drop</c> policies come first; the first that matches ends it. Then every policy without a budget votes, and the first of them in
    /// configured order that votes Sampled decides. Only when there is none are the policies with budgets asked for real, in order: the
    /// first that grants decides. The votes of all other budget policies say what they would have granted.
    /// </remarks>
    public Verdict Decide(in TraceEvidence evidence, IBudgets budgets, long nowMilliseconds, Span<Vote> votes)
    {
        ReadOnlySpan<Policy> policies = Set.Compiled;
        votes = votes[..policies.Length];
        votes.Clear();
        Purse paying = new(budgets, nowMilliseconds, takes: true);
        for (int i = 0; i < Set.DropCount; i++)
        {
            if (policies[i].Matches(evidence, paying))
            {
                votes[i] = Vote.Dropped;
                return new Verdict(Decision.Dropped, i);
            }

            votes[i] = Vote.NotSampled;
        }

        int decider = AskWithoutBudget(policies, evidence, paying, votes);
        int end = decider >= 0 && Set.StopsAtFirstMatch ? decider : policies.Length;
        for (int i = Set.DropCount; i < end; i++)
        {
            if (policies[i].DrawsBudget)
            {
                bool matches = policies[i].Matches(evidence, decider < 0 ? paying : paying.Looking);
                votes[i] = matches ? Vote.Sampled : Vote.NotSampled;
                if (matches && decider < 0)
                {
                    decider = i;
                    end = Set.StopsAtFirstMatch ? i : end;
                }
            }
        }

        if (decider >= 0 && Set.StopsAtFirstMatch)
        {
            votes[(decider + 1)..].Clear();
        }

        return decider >= 0 ? new Verdict(Decision.Sampled, decider) : new Verdict(Decision.NotSampled, -1);
    }

    /// <summary>Puts votes into words. Allocates: for the admin endpoint and the command line only.</summary>
    /// <param name="evidence">What was decided on.</param>
    /// <param name="votes">What <see cref="Decide"/> wrote.</param>
    public IReadOnlyList<PolicyVote> Explain(in TraceEvidence evidence, ReadOnlySpan<Vote> votes)
    {
        PolicyVote[] words = new PolicyVote[Set.Compiled.Length];
        for (int i = 0; i < words.Length; i++)
        {
            Policy policy = Set.Compiled[i];
            string reason = votes[i] == Vote.NotEvaluated
                ? "the decision was clear before its turn"
                : policy.Reason(evidence, votes[i] is Vote.Sampled or Vote.Dropped);
            words[i] = new PolicyVote(policy.Name, policy.Type, votes[i], reason);
        }

        return words;
    }

    private int AskWithoutBudget(ReadOnlySpan<Policy> policies, in TraceEvidence evidence, in Purse purse, Span<Vote> votes)
    {
        int decider = -1;
        for (int i = Set.DropCount; i < policies.Length; i++)
        {
            if (!policies[i].DrawsBudget)
            {
                bool matches = policies[i].Matches(evidence, purse);
                votes[i] = matches ? Vote.Sampled : Vote.NotSampled;
                if (matches && decider < 0)
                {
                    decider = i;
                    if (Set.StopsAtFirstMatch)
                    {
                        break;
                    }
                }
            }
        }

        return decider;
    }
}
