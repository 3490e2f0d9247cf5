using System.Diagnostics;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>What the policies must say of a trace, whatever happens to the cluster.</summary>
internal enum Fate
{
    /// <summary>
    /// Its first span says why to keep it, and no other is sent before that one is acknowledged: every acknowledged span must arrive.
    /// </summary>
    Kept,

    /// <summary>Nothing in it is worth keeping: no span may arrive.</summary>
    NotKept,

    /// <summary>
    /// Its last span says why to keep it, and may come too late: one verdict either way. All acknowledged spans arrive, or no span does.
    /// </summary>
    Either,
}

/// <summary>A span that was sent, and what its sender knows of it. Written by one flow of the load; read by any, at the end in full.</summary>
/// <param name="Fate">Its trace's fate.</param>
/// <param name="Sent">The span, with all that goes with it.</param>
internal sealed record SentSpan(Fate Fate, Delivery Sent)
{
    private long _acknowledged;

    /// <summary>Trace ID and span ID in hex.</summary>
    public string Key => Sent.TraceId + Sent.SpanId;

    /// <summary>How many times it was sent.</summary>
    public int Attempts { get; set; }

    /// <summary><see cref="Stopwatch"/> time of the first yes; 0 until then.</summary>
    public long Acknowledged
    {
        get => Volatile.Read(ref _acknowledged);
        set => Volatile.Write(ref _acknowledged, value);
    }
}
