namespace Cluster.Sampling.Decisions;

/// <summary>What becomes of a trace. Values are stable: they are remembered, logged and cross wires.</summary>
public enum Decision : byte
{
    /// <summary>No policy wanted it.</summary>
    NotSampled = 0,

    /// <summary>A policy keeps it.</summary>
    Sampled = 1,

    /// <summary>A <c>drop</c> policy wants it gone, whatever the others say.</summary>
    Dropped = 2,
}

/// <summary>What one policy says of one trace. Values are stable.</summary>
public enum Vote : byte
{
    /// <summary>The policy was not asked: the decision was clear before its turn.</summary>
    NotEvaluated = 0,

    /// <summary>Does not want it.</summary>
    NotSampled = 1,

    /// <summary>Wants it kept.</summary>
    Sampled = 2,

    /// <summary>Wants it gone.</summary>
    Dropped = 3,

    /// <summary>Could not say; counts as no vote.</summary>
    Error = 4,
}

/// <summary>The outcome for one trace.</summary>
/// <param name="Decision">What becomes of it.</param>
/// <param name="Policy">Index of the policy that decided, in evaluation order; -1 when none did.</param>
public readonly record struct Verdict(Decision Decision, int Policy);

/// <summary>A policy's vote in words, for people.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Type">Its type, <c>latency</c> for example.</param>
/// <param name="Vote">What it said.</param>
/// <param name="Reason">Why, with the numbers: <c>duration 812 ms &gt;= threshold_ms 500</c>.</param>
public sealed record PolicyVote(string Policy, string Type, Vote Vote, string Reason);
