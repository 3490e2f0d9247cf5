using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Replication;

/// <summary>Decisions as they are remembered, and as they cross wires.</summary>
internal static class DecisionItems
{
    /// <summary>What is sent of a decision; its details go with it.</summary>
    public static DecisionRecord ToRecord(in RememberedDecision decision, DecisionCache cache, long now) => new()
    {
        TraceId = decision.TraceId,
        Index = decision.Index,
        DurationNanoseconds = decision.DurationNanoseconds,
        Bytes = decision.Bytes,
        AgeMilliseconds = (uint)Math.Clamp(now - decision.DecidedAt, 0, uint.MaxValue),
        SpanCount = decision.SpanCount,
        Policy = decision.Policy,
        Decision = (byte)decision.Decision,
        Reason = (byte)decision.Reason,
        VoteCount = (ushort)cache.VoteCount,
        ConditionWords = (ushort)cache.ConditionWords,
        Exported = decision.Exported ? (byte)1 : (byte)0,
    };

    /// <summary>
    /// Remembers what was received. Votes, conditions and policy that do not fit this node's policies, which may be others for a while, are left out.
    /// </summary>
    /// <param name="cache">Where it is remembered.</param>
    /// <param name="record">What was received.</param>
    /// <param name="details">Its votes and conditions.</param>
    /// <param name="index">Index of the verdict.</param>
    /// <param name="decidedAt">When it was decided, monotonic milliseconds.</param>
    /// <returns>False when it is no decision.</returns>
    public static bool Remember(DecisionCache cache, in DecisionRecord record, ReadOnlySpan<ulong> details, ulong index, long decidedAt)
    {
        if (record.Decision > (byte)Decision.Dropped || record.Reason > (byte)CompletionReason.Shutdown)
        {
            return false;
        }

        bool fits = record.VoteCount == cache.VoteCount && record.ConditionWords == cache.ConditionWords && AreVotes(details, record.VoteCount);
        RememberedDecision decision = new()
        {
            TraceId = record.TraceId,
            DecidedAt = decidedAt,
            DurationNanoseconds = record.DurationNanoseconds,
            Bytes = record.Bytes,
            SpanCount = record.SpanCount,
            Policy = fits && record.Policy >= 0 && record.Policy < cache.VoteCount ? record.Policy : (short)-1,
            Decision = (Decision)record.Decision,
            Reason = (CompletionReason)record.Reason,
            Exported = record.Exported != 0,
            Index = index,
        };
        cache.Put(decision, fits ? details : default);
        return true;
    }

    private static bool AreVotes(ReadOnlySpan<ulong> details, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if ((details[i / DecisionRecord.VotesPerWord] >> (i % DecisionRecord.VotesPerWord * 4) & 0xF) > (ulong)Vote.Error)
            {
                return false;
            }
        }

        return true;
    }
}
