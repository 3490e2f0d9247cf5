namespace Cluster.Sharding.Log;

/// <summary>
/// The log of one shard: what was delivered to it and is still needed, as the bytes that came in. A frame is acknowledged when what it
/// brought is in here. Each frame makes one entry, and each of its slices that some trace holds keeps the entry alive; the entry is trimmed when
/// the last of them is decided (and, if kept, written out). It is used in one of two ways. On a node alone an entry holds the slices that
/// are needed and nothing else (<see cref="Open"/>, <see cref="Append"/>, <see cref="Seal"/>). In a cluster an entry is a whole frame, or a
/// batch of verdicts, with an index and the time it arrived (<see cref="Add"/>), so that it can be sent to copies and read back. Used by one thread at a time.
/// </summary>
/// <remarks>
/// Invariants: an entry is live exactly while its references are above zero; indices rise in order of arrival and are not used twice, but for
/// those that <see cref="TruncateAfter"/> took back.
/// </remarks>
internal sealed unsafe class ShardLog(SlabAllocator slabs)
{
    private Entry[] _entries = new Entry[64];
    private int _count;
    private int _firstFree = -1;
    private LogPlace[] _places = [];
    private LogOrder? _order;

    /// <summary>Entries that are still needed.</summary>
    public int LiveEntries { get; private set; }

    /// <summary>The highest index given out so far, or taken over; 0 before the first.</summary>
    public ulong LastIndex { get; private set; }

    /// <summary>The lowest index of a live entry; 0 when there is none.</summary>
    public ulong FirstIndex => _order?.First ?? 0;

    /// <summary>Where the indices of entries that end are noted; null while nobody wants to know.</summary>
    public List<ulong>? Ended { get; set; }

    /// <summary>Opens an entry with room for <paramref name="capacity"/> bytes, to be filled by <see cref="Append"/> and ended by <see cref="Seal"/>.</summary>
    public int Open(int capacity)
    {
        byte* memory = slabs.Allocate(capacity, out int slab);
        return Insert(new Entry { Memory = memory, Slab = slab, Capacity = capacity, References = 1 });
    }

    /// <summary>Copies a slice into an open entry and holds the entry for it.</summary>
    /// <returns>Where the slice now begins in the entry.</returns>
    public int Append(int entry, ReadOnlySpan<byte> slice)
    {
        ref Entry e = ref _entries[entry];
        int offset = e.Length;
        slice.CopyTo(new Span<byte>(e.Memory + offset, e.Capacity - offset));
        e.Length = offset + slice.Length;
        e.References++;
        return offset;
    }

    /// <summary>Ends the filling of an entry: gives back what it did not need, all of it if nothing was appended.</summary>
    public void Seal(int entry)
    {
        ref Entry e = ref _entries[entry];
        slabs.Shrink(e.Slab, e.Capacity - e.Length);
        e.Capacity = e.Length;
        Release(entry);
    }

    /// <summary>One slice of the entry is not needed any more; the last one trims it.</summary>
    public void Release(int entry)
    {
        if (--_entries[entry].References == 0)
        {
            End(entry);
        }
    }

    /// <summary>Bytes of a live entry.</summary>
    public ReadOnlySpan<byte> Read(int entry, int offset, int length) => new(_entries[entry].Memory + offset, length);

    /// <summary>Adds an entry under an index, and holds it once.</summary>
    /// <param name="index">Above <see cref="LastIndex"/>.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="bytes">A whole frame, or a batch of verdicts.</param>
    /// <param name="arrival">When it arrived, monotonic milliseconds; before this process if it was read elsewhere.</param>
    /// <returns>The entry's number.</returns>
    /// <exception cref="OutOfMemoryException">The system has none left; nothing was added.</exception>
    public int Add(ulong index, LogEntryKind kind, ReadOnlySpan<byte> bytes, long arrival)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(index, LastIndex);
        byte* memory = slabs.Allocate(bytes.Length, out int slab);
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        int entry = Insert(new Entry { Memory = memory, Slab = slab, Capacity = bytes.Length, Length = bytes.Length, References = 1 });
        if (_places.Length < _entries.Length)
        {
            Array.Resize(ref _places, _entries.Length);
        }

        _places[entry] = new LogPlace(index, arrival, kind);
        (_order ??= new LogOrder()).Add(index, entry);
        LastIndex = index;
        return entry;
    }

    /// <summary>Holds an entry once more.</summary>
    public void Retain(int entry) => _entries[entry].References++;

    /// <summary>All bytes of a live entry.</summary>
    public ReadOnlySpan<byte> Bytes(int entry) => new(_entries[entry].Memory, _entries[entry].Length);

    /// <summary>Index, time and kind of a live entry that has an index.</summary>
    public LogPlace Place(int entry) => _places[entry];

    /// <summary>The entry of an index; -1 when it has ended or never was.</summary>
    public int Find(ulong index) => _order?.Find(index) ?? -1;

    /// <summary>The live entry with the lowest index that is not below <paramref name="index"/>; -1 when there is none.</summary>
    public int FindFrom(ulong index) => _order?.FindFrom(index) ?? -1;

    /// <summary>Ends an entry however often it is held.</summary>
    public void Drop(int entry)
    {
        _entries[entry].References = 0;
        End(entry);
    }

    /// <summary>The log goes up to an index, though the last entries of it have ended elsewhere before they came here.</summary>
    public void SkipTo(ulong index) => LastIndex = Math.Max(LastIndex, index);

    /// <summary>Takes back everything beyond an index, as if it had never been; entries are held by nobody else.</summary>
    public void TruncateAfter(ulong index)
    {
        if (index >= LastIndex)
        {
            return;
        }

        while (FindFrom(index + 1) is int entry and >= 0)
        {
            Drop(entry);
        }

        LastIndex = index;
    }

    /// <summary>Takes an entry over from a log that is given up, once however often it is called for the same one.</summary>
    /// <returns>The entry's number here.</returns>
    public int Adopt(ShardLog other, int entry)
    {
        ref Entry e = ref other._entries[entry];
        if (e.Memory != null)
        {
            int adopted = Insert(e);
            e = new Entry { Length = adopted };
            other.LiveEntries--;
        }

        return e.Length;
    }

    private void End(int entry)
    {
        ref Entry e = ref _entries[entry];
        slabs.Release(e.Slab);
        e = new Entry { References = _firstFree };
        _firstFree = entry;
        LiveEntries--;
        if (entry < _places.Length && _places[entry].Index != 0)
        {
            _order!.Remove(_places[entry].Index);
            Ended?.Add(_places[entry].Index);
            _places[entry] = default;
        }
    }

    private int Insert(in Entry entry)
    {
        int index = _firstFree;
        if (index >= 0)
        {
            _firstFree = _entries[index].References;
        }
        else
        {
            if (_count == _entries.Length)
            {
                Array.Resize(ref _entries, _count * 2);
            }

            index = _count++;
        }

        _entries[index] = entry;
        LiveEntries++;
        return index;
    }

    private struct Entry
    {
        public byte* Memory;
        public int Slab;
        public int Capacity;
        public int Length;

        /// <summary>Slices held, plus one while open; in a free entry, the next free one.</summary>
        public int References;
    }
}

/// <summary>What an entry of a shard's log is.</summary>
internal enum LogEntryKind : byte
{
    /// <summary>A frame.</summary>
    Frame = 1,

    /// <summary>Verdicts, as they cross wires.</summary>
    Verdicts = 2,
}

/// <summary>Where an entry stands in its log.</summary>
/// <param name="Index">Its index, 1 or more.</param>
/// <param name="Arrival">When it arrived, monotonic milliseconds.</param>
/// <param name="Kind">What it is.</param>
internal readonly record struct LogPlace(ulong Index, long Arrival, LogEntryKind Kind);
