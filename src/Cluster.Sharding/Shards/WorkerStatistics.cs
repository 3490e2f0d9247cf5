using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>Counters of one worker loop: written by it alone, read by anyone (64-bit reads are whole), so that counting costs an addition.</summary>
internal sealed class WorkerStatistics(int policies)
{
    /// <summary>Upper bounds of the buckets of decision lateness, milliseconds; one more bucket is above.</summary>
    public static readonly int[] LatenessBounds =
        [1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 50000];

    public long NewTraces;
    public long PendingTraces;
    public long PendingSpans;
    public long PendingBytes;
    public long PendingSlices;
    public long AcceptedSpans;
    public long RepeatedSpans;
    public long LateSpansSampled;
    public long LateSpansNotSampled;
    public long DecisionTicks;
    public double LatenessSum;

    /// <summary>Frames that were delivered again, and not applied again.</summary>
    public long RepeatedFrames;

    /// <summary>Kept traces that were written again after a promotion, since their first export was not confirmed.</summary>
    public long ExportedAgain;

    /// <summary>Replication messages that could not be used: too late, too early, not for here, or damaged.</summary>
    public long IgnoredReplication;

    /// <summary>Copies that primaries here came to report as not keeping up.</summary>
    public long Suspects;

    /// <summary>Frames that primaries here sent to copies; those sent again count again.</summary>
    public long ReplicatedFramesOut;

    /// <summary>Bytes of everything that primaries here sent to copies, headers left out; what was sent again counts again.</summary>
    public long ReplicatedBytesOut;

    /// <summary>Frames that copies here took, each once.</summary>
    public long ReplicatedFramesIn;

    /// <summary>Bytes of everything that copies here took, headers left out.</summary>
    public long ReplicatedBytesIn;

    /// <summary>Bytes on their way from primaries here to copies, or lost, now.</summary>
    public long UnacknowledgedBytes;

    /// <summary>Entries in the logs of copies.</summary>
    public long CopiedEntries;

    /// <summary>Messages that ended in an exception, which is a fault of this program.</summary>
    public long Failures;

    /// <summary>Decisions by <see cref="Decision"/>.</summary>
    public long[] Decisions { get; } = new long[3];

    /// <summary>Decisions by <see cref="CompletionReason"/>.</summary>
    public long[] Completions { get; } = new long[8];

    /// <summary>Decisions by lateness.</summary>
    public long[] Lateness { get; } = new long[LatenessBounds.Length + 1];

    /// <summary>Votes by policy and <see cref="Vote"/>, five a policy.</summary>
    public long[] Votes { get; } = new long[policies * 5];

    /// <summary>Traces by deciding policy.</summary>
    public long[] Decided { get; } = new long[policies];

    /// <summary>Their spans.</summary>
    public long[] DecidedSpans { get; } = new long[policies];

    public void AddReplicatedOut(ReplicationItemKind kind, int bytes)
    {
        ReplicatedFramesOut += kind == ReplicationItemKind.Frame ? 1 : 0;
        ReplicatedBytesOut += bytes;
    }

    public void AddReplicatedIn(ReplicationItemKind kind, int bytes)
    {
        ReplicatedFramesIn += kind == ReplicationItemKind.Frame ? 1 : 0;
        ReplicatedBytesIn += bytes;
    }

    public void AddDecision(Verdict verdict, CompletionReason reason, ReadOnlySpan<Vote> votes, int spans)
    {
        Decisions[(int)verdict.Decision]++;
        Completions[(int)reason]++;
        for (int i = 0; i < votes.Length; i++)
        {
            Votes[i * 5 + (int)votes[i]]++;
        }

        if (verdict.Policy >= 0)
        {
            Decided[verdict.Policy]++;
            DecidedSpans[verdict.Policy] += spans;
        }
    }

    public void AddLateness(long milliseconds)
    {
        int bucket = 0;
        while (bucket < LatenessBounds.Length && milliseconds > LatenessBounds[bucket])
        {
            bucket++;
        }

        Lateness[bucket]++;
        LatenessSum += milliseconds;
    }
}
