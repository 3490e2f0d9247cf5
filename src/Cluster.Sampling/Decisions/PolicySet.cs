using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Decisions;

/// <summary>A compiled, immutable set of policies, in evaluation order (<c>drop</c> policies first). Thread-safe.</summary>
public sealed class PolicySet
{
    private readonly Policy[] _policies;

    internal PolicySet(IEnumerable<Policy> policies, Conditions conditions, IEnumerable<Budget> budgets, bool stopsAtFirstMatch)
    {
        Policy[] all = [.. policies];
        _policies = [.. all.Where(p => p is DropPolicy), .. all.Where(p => p is not DropPolicy)];
        DropCount = all.Count(p => p is DropPolicy);
        Conditions = conditions;
        StopsAtFirstMatch = stopsAtFirstMatch;
        Budgets = [.. budgets];
        Policies = [.. _policies.Select(p => new PolicyDescription(p.Name, p.Type))];
    }

    /// <summary>Name and type of each policy, in evaluation order; a <see cref="Verdict.Policy"/> is an index into it.</summary>
    public IReadOnlyList<PolicyDescription> Policies { get; }

    /// <summary>Token buckets the policies draw from; <see cref="IBudgets"/> is called with indexes into it.</summary>
    public IReadOnlyList<Budget> Budgets { get; }

    /// <summary>64-bit words of condition bits that each trace needs; at least 1.</summary>
    public int ConditionWords => Conditions.Words;

    internal ReadOnlySpan<Policy> Compiled => _policies;

    internal int DropCount { get; }

    internal Conditions Conditions { get; }

    internal bool StopsAtFirstMatch { get; }

    /// <summary>An evaluator with caches of its own, for one worker loop.</summary>
    public PolicyProgram CreateProgram() => new(this);
}

/// <summary>A policy, as people know it.</summary>
/// <param name="Name">Configured name.</param>
/// <param name="Type">Configured type.</param>
public sealed record PolicyDescription(string Name, string Type);
