namespace Cluster.Sampling.Decisions;

/// <summary>A compiled, immutable set of policies, in evaluation order (<c>drop</c> policies first). Thread-safe.</summary>
public sealed class PolicySet
{
    /// <summary>Name and type of each policy, in evaluation order; a <see cref="Verdict.Policy"/> is an index into it.</summary>
    public IReadOnlyList<PolicyDescription> Policies => throw new NotImplementedException();

    /// <summary>Token buckets the policies draw from; <see cref="IBudgets"/> is called with indexes into it.</summary>
    public IReadOnlyList<Budget> Budgets => throw new NotImplementedException();

    /// <summary>64-bit words of condition bits that each trace needs; at least 1.</summary>
    public int ConditionWords => throw new NotImplementedException();

    /// <summary>An evaluator with caches of its own, for one worker loop.</summary>
    public PolicyProgram CreateProgram() => throw new NotImplementedException();
}

/// <summary>A policy, as people know it.</summary>
/// <param name="Name">Configured name.</param>
/// <param name="Type">Configured type.</param>
public sealed record PolicyDescription(string Name, string Type);
