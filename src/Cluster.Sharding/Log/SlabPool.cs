using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Cluster.Sharding.Log;

/// <summary>
/// The node's native memory for spans, in slabs of 1 MiB that are used again: no object, and nothing for the garbage collector to
/// walk. Thread-safe.
/// </summary>
internal sealed unsafe class SlabPool : IDisposable
{
    /// <summary>Bytes of an ordinary slab.</summary>
    public const int SlabSize = 1 << 20;

    /// <summary>Free slabs kept for use again; the rest goes back to the operating system.</summary>
    private const int MaxFree = 64;

    private readonly ConcurrentBag<nint> _free = [];
    private long _bytesInUse;

    /// <summary>Bytes of all slabs handed out and not given back.</summary>
    public long BytesInUse => Volatile.Read(ref _bytesInUse);

    /// <summary>Hands out uncleared memory: an ordinary slab, or one of exactly <paramref name="length"/> bytes when that is more.</summary>
    /// <exception cref="OutOfMemoryException">The system has none left.</exception>
    public byte* Rent(int length, out int capacity)
    {
        capacity = Math.Max(length, SlabSize);
        byte* memory = capacity == SlabSize && _free.TryTake(out nint slab)
            ? (byte*)slab
            : (byte*)NativeMemory.AlignedAlloc((nuint)capacity, 64);
        Interlocked.Add(ref _bytesInUse, capacity);
        return memory;
    }

    /// <summary>Takes a slab back.</summary>
    public void Return(byte* slab, int capacity)
    {
        Interlocked.Add(ref _bytesInUse, -capacity);
        if (capacity == SlabSize && _free.Count < MaxFree)
        {
            _free.Add((nint)slab);
        }
        else
        {
            NativeMemory.AlignedFree(slab);
        }
    }

    /// <summary>Gives free slabs back to the system. Slabs in use stay with their users.</summary>
    public void Dispose()
    {
        while (_free.TryTake(out nint slab))
        {
            NativeMemory.AlignedFree((void*)slab);
        }
    }
}
