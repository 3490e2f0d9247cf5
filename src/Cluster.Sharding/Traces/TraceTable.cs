using System.Runtime.InteropServices;
using Cluster.Messages.Identity;

namespace Cluster.Sharding.Traces;

/// <summary>
/// The trace actors of one shard: a record each in a flat array, found by trace ID, chained by age and by due time through numbers in the
/// records themselves. No object a trace, no object a span. Used by one thread at a time; a reference to a record is good
/// until the next <see cref="Add"/>.
/// </summary>
/// <remarks>
/// Invariants: a trace is in exactly one bucket and in the list by age; a slice is in the list of one trace or free. The arrays only grow:
/// a table that a flood has left almost empty is given up for a new one, which adopts its traces (<see cref="IsSparse"/>).
/// </remarks>
internal sealed class TraceTable
{
    /// <summary>Arrays of fewer entries than this are never too large.</summary>
    private const int KeptEntries = 4096;

    private readonly TraceIdHasher _hasher;
    private readonly int _words;
    private TraceRecord[] _records = new TraceRecord[64];
    private ulong[] _conditions;
    private int[] _buckets = new int[64];
    private int _used = 1;
    private int _firstFree;
    private Slice[] _slices = new Slice[128];
    private int _usedSlices = 1;
    private int _firstFreeSlice;
    private int _slicesInUse;

    /// <summary>An empty table.</summary>
    /// <param name="hasher">Keys the hash table.</param>
    /// <param name="conditionWords">64-bit words of condition bits a trace.</param>
    public TraceTable(TraceIdHasher hasher, int conditionWords)
    {
        _hasher = hasher;
        _words = conditionWords;
        _conditions = new ulong[_records.Length * conditionWords];
    }

    /// <summary>Traces in the table.</summary>
    public int Count { get; private set; }

    /// <summary>Whether less than an eighth of large arrays is in use.</summary>
    public bool IsSparse =>
        (_records.Length > KeptEntries && Count < _records.Length / 8)
        || (_slices.Length > KeptEntries && _slicesInUse < _slices.Length / 8);

    /// <summary>The trace that arrived first; 0 when there is none.</summary>
    public int Oldest { get; private set; }

    /// <summary>The trace that arrived last; 0 when there is none.</summary>
    public int Youngest { get; private set; }

    /// <summary>A trace's record.</summary>
    public ref TraceRecord this[int trace] => ref _records[trace];

    /// <summary>A trace's condition bits.</summary>
    public Span<ulong> Conditions(int trace) => _conditions.AsSpan(trace * _words, _words);

    /// <summary>A slice.</summary>
    public ref readonly Slice SliceAt(int slice) => ref _slices[slice];

    /// <summary>The trace's number, 1 or more; 0 when it is not here.</summary>
    public int Find(TraceId traceId)
    {
        int trace = _buckets[_hasher.Hash(traceId) & (uint)(_buckets.Length - 1)];
        while (trace != 0 && _records[trace].TraceId != traceId)
        {
            trace = _records[trace].NextInBucket;
        }

        return trace;
    }

    /// <summary>Adds a trace that is not here, as the youngest.</summary>
    public int Add(TraceId traceId, long now)
    {
        int trace = _firstFree;
        if (trace != 0)
        {
            _firstFree = _records[trace].NextInBucket;
        }
        else
        {
            if (_used == _records.Length)
            {
                Grow();
            }

            trace = _used++;
        }

        ref int bucket = ref _buckets[_hasher.Hash(traceId) & (uint)(_buckets.Length - 1)];
        _records[trace] = new TraceRecord { TraceId = traceId, FirstArrival = now, LastArrival = now, NextInBucket = bucket, Older = Youngest };
        bucket = trace;
        Conditions(trace).Clear();
        if (Youngest != 0)
        {
            _records[Youngest].Younger = trace;
        }
        else
        {
            Oldest = trace;
        }

        Youngest = trace;
        Count++;
        return trace;
    }

    /// <summary>Adds a trace as it is in another table, which is given up, but without its slices and not on any wheel.</summary>
    public int Adopt(TraceTable other, int trace)
    {
        int adopted = Add(other[trace].TraceId, other[trace].FirstArrival);
        ref TraceRecord record = ref _records[adopted];
        (int inBucket, int older) = (record.NextInBucket, record.Older);
        record = other[trace];
        (record.NextInBucket, record.Older, record.Younger) = (inBucket, older, 0);
        (record.FirstSlice, record.LastSlice, record.NextDue, record.PreviousDue) = (0, 0, 0, 0);
        other.Conditions(trace).CopyTo(Conditions(adopted));
        return adopted;
    }

    /// <summary>Removes a trace whose slices were removed.</summary>
    public void Remove(int trace)
    {
        Detach(trace);
        RemoveDetached(trace);
    }

    /// <summary>Removes a trace that was detached, and whose slices were removed.</summary>
    public void RemoveDetached(int trace)
    {
        _records[trace] = new TraceRecord { NextInBucket = _firstFree };
        _firstFree = trace;
    }

    /// <summary>Takes a trace out of what is found and counted; its record and its slices stay, under its number, until it is removed.</summary>
    public void Detach(int trace)
    {
        ref TraceRecord record = ref _records[trace];
        ref int link = ref _buckets[_hasher.Hash(record.TraceId) & (uint)(_buckets.Length - 1)];
        while (link != trace)
        {
            link = ref _records[link].NextInBucket;
        }

        link = record.NextInBucket;
        if (record.Older != 0)
        {
            _records[record.Older].Younger = record.Younger;
        }
        else
        {
            Oldest = record.Younger;
        }

        if (record.Younger != 0)
        {
            _records[record.Younger].Older = record.Older;
        }
        else
        {
            Youngest = record.Older;
        }

        Count--;
    }

    /// <summary>Adds a slice at the end of a trace's.</summary>
    public void AddSlice(int trace, in Slice slice)
    {
        int index = _firstFreeSlice;
        if (index != 0)
        {
            _firstFreeSlice = _slices[index].Next;
        }
        else
        {
            if (_usedSlices == _slices.Length)
            {
                Array.Resize(ref _slices, _usedSlices * 2);
            }

            index = _usedSlices++;
        }

        _slices[index] = slice;
        _slices[index].Next = 0;
        _slicesInUse++;
        ref TraceRecord record = ref _records[trace];
        if (record.LastSlice != 0)
        {
            _slices[record.LastSlice].Next = index;
        }
        else
        {
            record.FirstSlice = index;
        }

        record.LastSlice = index;
    }

    /// <summary>Removes the first slice of a trace and returns what it was; false when there is none left.</summary>
    public bool TryRemoveSlice(int trace, out Slice slice)
    {
        ref TraceRecord record = ref _records[trace];
        int index = record.FirstSlice;
        if (index == 0)
        {
            slice = default;
            return false;
        }

        slice = _slices[index];
        record.FirstSlice = slice.Next;
        if (slice.Next == 0)
        {
            record.LastSlice = 0;
        }

        _slices[index] = new Slice { Next = _firstFreeSlice };
        _firstFreeSlice = index;
        _slicesInUse--;
        return true;
    }

    private void Grow()
    {
        Array.Resize(ref _records, _records.Length * 2);
        Array.Resize(ref _conditions, _records.Length * _words);
        _buckets = new int[_records.Length];
        for (int trace = Oldest; trace != 0; trace = _records[trace].Younger)
        {
            ref int bucket = ref _buckets[_hasher.Hash(_records[trace].TraceId) & (uint)(_buckets.Length - 1)];
            _records[trace].NextInBucket = bucket;
            bucket = trace;
        }
    }
}

/// <summary>A trace actor: all that is known of a pending trace. Numbers of other records are 0 for none.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct TraceRecord
{
    public TraceId TraceId;

    /// <summary>When its first span arrived, monotonic milliseconds.</summary>
    public long FirstArrival;

    /// <summary>When its latest span arrived, monotonic milliseconds.</summary>
    public long LastArrival;

    /// <summary>When the root span arrived; 0 while it has not.</summary>
    public long RootArrival;

    /// <summary>When it is decided, monotonic milliseconds.</summary>
    public long Deadline;

    /// <summary>Earliest start, nanoseconds since 1970; 0 when no span has one.</summary>
    public ulong StartUnixNano;

    /// <summary>Latest end, nanoseconds since 1970; 0 when no span has one.</summary>
    public ulong EndUnixNano;

    /// <summary>Protobuf size as received.</summary>
    public long Bytes;

    /// <summary>Spans, repeated ones counted once.</summary>
    public int SpanCount;

    /// <summary>Hashes of the spans, to know a repeated one.</summary>
    public SpanIdSet Spans;

    /// <summary>Why it will be decided at <see cref="Deadline"/>.</summary>
    public CompletionReason DeadlineReason;

    /// <summary>How often its decision has waited for a budget.</summary>
    public byte TimesPutOff;

    public int FirstSlice;
    public int LastSlice;
    public int NextInBucket;
    public int Older;
    public int Younger;
    public int NextDue;
    public int PreviousDue;
}

/// <summary>Spans of one trace that arrived together under one context: a range of a log entry.</summary>
internal struct Slice
{
    public int Entry;
    public int Offset;
    public int Length;
    public int SpanCount;
    public int Context;

    /// <summary>Next slice of the trace, or next free one; 0 for none.</summary>
    public int Next;
}
