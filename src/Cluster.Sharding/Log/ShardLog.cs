namespace Cluster.Sharding.Log;

/// <summary>
/// The log of one shard: what was delivered to it and is still needed, as the bytes that came in. A frame is acknowledged when what it
/// brought is in here. Each frame makes one entry, and each of its slices that some trace holds keeps the entry alive; the entry is trimmed when
/// the last of them is decided (and, if kept, written out).
/// This is the <c>memory</c> log; a replica's and a journal's take the same appends and trims. Used by one thread at a time.
/// </summary>
/// <remarks>Invariant: an entry is live exactly while its references are above zero.</remarks>
internal sealed unsafe class ShardLog(SlabAllocator slabs)
{
    private Entry[] _entries = new Entry[64];
    private int _count;
    private int _firstFree = -1;

    /// <summary>Entries that are still needed.</summary>
    public int LiveEntries { get; private set; }

    /// <summary>Opens an entry with room for <paramref name="capacity"/> bytes, to be filled by <see cref="Append"/> and ended by <see cref="Seal"/>.</summary>
    public int Open(int capacity)
    {
        byte* memory = slabs.Allocate(capacity, out int slab);
        return Add(new Entry { Memory = memory, Slab = slab, Capacity = capacity, References = 1 });
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
        ref Entry e = ref _entries[entry];
        if (--e.References == 0)
        {
            slabs.Release(e.Slab);
            e = new Entry { References = _firstFree };
            _firstFree = entry;
            LiveEntries--;
        }
    }

    /// <summary>Bytes of a live entry.</summary>
    public ReadOnlySpan<byte> Read(int entry, int offset, int length) => new(_entries[entry].Memory + offset, length);

    /// <summary>Takes an entry over from a log that is given up, once however often it is called for the same one.</summary>
    /// <returns>The entry's number here.</returns>
    public int Adopt(ShardLog other, int entry)
    {
        ref Entry e = ref other._entries[entry];
        if (e.Memory != null)
        {
            int adopted = Add(e);
            e = new Entry { Length = adopted };
            other.LiveEntries--;
        }

        return e.Length;
    }

    private int Add(in Entry entry)
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
