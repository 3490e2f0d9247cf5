namespace Cluster.Sharding.Log;

/// <summary>
/// The node's native memory for spans, in slabs of 1 MiB that are used again: no object, and nothing for the garbage collector to
/// walk. Thread-safe.
/// </summary>
internal sealed unsafe class SlabPool : IDisposable
{
    /// <summary>Bytes of an ordinary slab.</summary>
    public const int SlabSize = 1 << 20;

    /// <summary>Free slabs kept for good; of more than these, which nobody has needed lately, a part goes back to the operating system at each <see cref="Trim"/>.</summary>
    public const int KeptFree = 64;

    /// <summary>What was free through so many calls of <see cref="Trim"/> is not needed.</summary>
    public const int TrimWindow = 20;

    /// <summary>One of so many is given back at a time: half of them in eleven times.</summary>
    private const int TrimShare = 16;

    private readonly Lock _lock = new();
    private readonly Stack<nint> _free = [];
    private long _bytesInUse;
    private int _trims;
    private int _leastFree;
    private int _leastFreeBefore;

    /// <summary>More than so many bytes in use are refused as if the system had none left; so that a test can be that system.</summary>
    public long Limit { get; set; } = long.MaxValue;

    /// <summary>Bytes of all slabs handed out and not given back.</summary>
    public long BytesInUse => Volatile.Read(ref _bytesInUse);

    /// <summary>Slabs that wait to be used again.</summary>
    public int Free
    {
        get
        {
            lock (_lock)
            {
                return _free.Count;
            }
        }
    }

    /// <summary>Hands out uncleared memory: an ordinary slab, or one of exactly <paramref name="length"/> bytes when that is more.</summary>
    /// <exception cref="OutOfMemoryException">The system has none left.</exception>
    public byte* Rent(int length, out int capacity)
    {
        capacity = Math.Max(length, SlabSize);
        if (BytesInUse + capacity > Limit)
        {
            throw new InsufficientMemoryException();
        }

        nint memory = 0;
        if (capacity == SlabSize)
        {
            lock (_lock)
            {
                _free.TryPop(out memory);
                _leastFree = Math.Min(_leastFree, _free.Count);
            }
        }

        if (memory == 0)
        {
            memory = NativePages.Allocate(capacity);
        }

        Interlocked.Add(ref _bytesInUse, capacity);
        return (byte*)memory;
    }

    /// <summary>Takes a slab back.</summary>
    public void Return(byte* slab, int capacity)
    {
        Interlocked.Add(ref _bytesInUse, -capacity);
        if (capacity != SlabSize)
        {
            NativePages.Free((nint)slab, capacity);
            return;
        }

        lock (_lock)
        {
            _free.Push((nint)slab);
        }
    }

    /// <summary>
    /// Gives a part of the free slabs that are too many back to the system. To be called ten times a second or so: what is free for a second or two
    /// stays, since memory from the system costs a page fault for each of its pages, and after a flood half of it is back about four seconds later.
    /// </summary>
    public void Trim()
    {
        lock (_lock)
        {
            if (++_trims % TrimWindow == 0)
            {
                (_leastFreeBefore, _leastFree) = (_leastFree, _free.Count);
            }

            int idle = Math.Min(_leastFreeBefore, _leastFree);
            for (int surplus = (idle - KeptFree + TrimShare - 1) / TrimShare; surplus > 0; surplus--)
            {
                NativePages.Free(_free.Pop(), SlabSize);
                _leastFreeBefore--;
                _leastFree--;
            }
        }
    }

    /// <summary>Gives free slabs back to the system. Slabs in use stay with their users.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            while (_free.TryPop(out nint slab))
            {
                NativePages.Free(slab, SlabSize);
            }
        }
    }
}
