using System.Numerics;
using System.Runtime.InteropServices;
using Cluster.LoadGenerator.Workload;
using Cluster.Messages.Identity;

namespace Cluster.LoadGenerator.Sink;

/// <summary>
/// What arrived, by trace: one bit for each span, in one flat table of 16 bytes a trace. What a trace should be is read from its span IDs
/// (<see cref="WorkloadIds"/>), so completeness needs no other knowledge. Thread-safe by <see cref="Gate"/>, which the caller holds.
/// </summary>
internal sealed class TraceLedger
{
    private Entry[] _entries = new Entry[1 << 16];
    private LedgerTotals _totals = new();

    /// <summary>To be held around every call.</summary>
    public Lock Gate { get; } = new();

    /// <summary>A request arrived.</summary>
    public void AddRequest(int bytes)
    {
        _totals.Requests++;
        _totals.Bytes += bytes;
    }

    /// <summary>A span arrived.</summary>
    /// <param name="traceId">Its trace.</param>
    /// <param name="spanId">Its ID, big-endian.</param>
    public void AddSpan(TraceId traceId, ulong spanId)
    {
        _totals.Spans++;
        int index = (int)(spanId >> 56);
        int count = (byte)(spanId >> 48);
        byte flags = (byte)(spanId >> 40);
        bool isOurs = (byte)(spanId >> 32) == WorkloadIds.Marker
            && (uint)spanId == WorkloadIds.SpanTail(traceId)
            && WorkloadIds.IsOurs(traceId);
        if (!isOurs || index >= count || count > 32)
        {
            _totals.ForeignSpans++;
            return;
        }

        ref Entry entry = ref Find(traceId.High);
        if (entry.Count == 0)
        {
            entry = new Entry { Key = traceId.High, Count = (byte)count, Flags = flags };
            _totals.Count(flags, traces: 1, complete: 0);
            GrowWhenFull();
            entry = ref Find(traceId.High);
        }

        uint bit = 1u << index;
        if ((entry.Seen & bit) != 0)
        {
            _totals.DuplicateSpans++;
            return;
        }

        entry.Seen |= bit;
        if (BitOperations.PopCount(entry.Seen) == entry.Count)
        {
            _totals.Count(flags, traces: 0, complete: 1);
        }
    }

    /// <summary>A copy of the totals.</summary>
    public LedgerTotals Totals() => _totals with { };

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Array.Clear(_entries);
        _totals = new LedgerTotals();
    }

    private ref Entry Find(ulong key)
    {
        // The key is mixed already: its low bits are as good as a hash.
        Entry[] entries = _entries;
        int mask = entries.Length - 1;
        int slot = (int)key & mask;
        while (entries[slot].Count != 0 && entries[slot].Key != key)
        {
            slot = (slot + 1) & mask;
        }

        return ref entries[slot];
    }

    private void GrowWhenFull()
    {
        if (_totals.Traces * 2 <= _entries.Length)
        {
            return;
        }

        Entry[] old = _entries;
        _entries = new Entry[old.Length * 4];
        foreach (ref readonly Entry entry in old.AsSpan())
        {
            if (entry.Count != 0)
            {
                Find(entry.Key) = entry;
            }
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Entry
    {
        public ulong Key;
        public uint Seen;
        public byte Count;
        public byte Flags;
    }
}

/// <summary>Sums over all that arrived. A trace with several reasons to be kept counts under each.</summary>
internal sealed record LedgerTotals
{
    public long Requests { get; set; }

    public long Bytes { get; set; }

    public long Spans { get; set; }

    public long DuplicateSpans { get; set; }

    /// <summary>Spans whose IDs the generator did not make, or that something damaged.</summary>
    public long ForeignSpans { get; set; }

    public long Traces { get; set; }

    public long CompleteTraces { get; set; }

    public long ErrorTraces { get; set; }

    public long SlowTraces { get; set; }

    public long RouteTraces { get; set; }

    /// <summary>Traces that must be kept.</summary>
    public long MustKeepTraces { get; set; }

    public long CompleteMustKeepTraces { get; set; }

    /// <summary>Traces that nothing but chance keeps.</summary>
    public long OtherTraces => Traces - MustKeepTraces;

    public long IncompleteTraces => Traces - CompleteTraces;

    public long IncompleteMustKeepTraces => MustKeepTraces - CompleteMustKeepTraces;

    /// <summary>Counts a trace, first when it is seen and again when it is complete.</summary>
    public void Count(byte flags, int traces, int complete)
    {
        Traces += traces;
        CompleteTraces += complete;
        ErrorTraces += (flags & WorkloadIds.ErrorFlag) != 0 ? traces : 0;
        SlowTraces += (flags & WorkloadIds.SlowFlag) != 0 ? traces : 0;
        RouteTraces += (flags & WorkloadIds.RouteFlag) != 0 ? traces : 0;
        MustKeepTraces += flags != 0 ? traces : 0;
        CompleteMustKeepTraces += flags != 0 ? complete : 0;
    }
}
