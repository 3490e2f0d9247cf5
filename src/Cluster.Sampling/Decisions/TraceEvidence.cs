using Cluster.Messages.Identity;

namespace Cluster.Sampling.Decisions;

/// <summary>All that a decision is made from: what was gathered, span by span, as the trace arrived.</summary>
public readonly ref struct TraceEvidence
{
    /// <summary>The trace.</summary>
    public TraceId TraceId { get; init; }

    /// <summary>Spans received, repeated ones counted once.</summary>
    public int SpanCount { get; init; }

    /// <summary>Protobuf size of the trace as received, in bytes.</summary>
    public long Bytes { get; init; }

    /// <summary>Earliest span start, nanoseconds since 1970; 0 when no span has one.</summary>
    public ulong StartUnixNano { get; init; }

    /// <summary>Latest span end, nanoseconds since 1970; 0 when no span has one.</summary>
    public ulong EndUnixNano { get; init; }

    /// <summary>One bit for every condition of the policy set that some resource or span met.</summary>
    public ReadOnlySpan<ulong> Conditions { get; init; }

    /// <summary>
    /// End minus start in whole milliseconds, truncated toward zero; negative where clocks disagree. An end or start that no span has
    /// counts as 1970, as in the Collector. Times are signed there, and a difference too large for 64 bits is the largest that fits.
    /// </summary>
    public long DurationMilliseconds
    {
        get
        {
            long start = (long)StartUnixNano;
            long end = (long)EndUnixNano;
            long duration = unchecked(end - start);
            bool overflows = ((end ^ start) & (end ^ duration)) < 0;
            return (overflows ? (end < 0 ? long.MinValue : long.MaxValue) : duration) / 1_000_000;
        }
    }
}

/// <summary>What the one pass over a span reads besides the conditions.</summary>
public struct SpanFacts
{
    /// <summary>The span's ID, big-endian.</summary>
    public ulong SpanId;

    /// <summary>Its parent's ID, big-endian; 0 for a root.</summary>
    public ulong ParentSpanId;

    /// <summary>Start, nanoseconds since 1970; 0 when unset.</summary>
    public ulong StartUnixNano;

    /// <summary>End, nanoseconds since 1970; 0 when unset.</summary>
    public ulong EndUnixNano;

    /// <summary>SpanKind, 0 to 5 or unknown.</summary>
    public int Kind;
}
