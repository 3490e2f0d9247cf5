using System.Runtime.InteropServices;

namespace Cluster.Sharding.Traces;

/// <summary>
/// Small sets of 64-bit hashes, one or more a trace, in native memory: a trace's spans, to know a repeated one. Each set is an
/// open-addressing table of 8, 16, 32, … slots from a free list of its size. The hashes must be keyed, since slots are chosen by them.
/// Used by one thread at a time.
/// </summary>
internal sealed unsafe class SpanIdSets : IDisposable
{
    private const int SmallestBits = 3;

    /// <summary>Sets of more slots than this (64 KiB) are allocated alone.</summary>
    private const int LargestPooledBits = 13;

    private const int ChunkBytes = 64 * 1024;

    private readonly nint[] _free = new nint[LargestPooledBits + 1];
    private readonly List<nint> _chunks = [];

    /// <summary>Native bytes held, free ones included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Adds a hash.</summary>
    /// <param name="set">The set; a default one is empty.</param>
    /// <param name="hash">Not 0.</param>
    /// <returns>False when it was there.</returns>
    public bool Add(ref SpanIdSet set, ulong hash)
    {
        if (set.Count * 8 >= set.Capacity * 7)
        {
            Grow(ref set);
        }

        ulong* slot = Find(set, hash);
        if (*slot == hash)
        {
            return false;
        }

        *slot = hash;
        set.Count++;
        return true;
    }

    /// <summary>Whether a hash is in the set.</summary>
    public static bool Contains(in SpanIdSet set, ulong hash) => set.Count > 0 && *Find(set, hash) == hash;

    /// <summary>Removes a hash; false when it was not there.</summary>
    public static bool Remove(ref SpanIdSet set, ulong hash)
    {
        if (set.Count == 0)
        {
            return false;
        }

        ulong* slot = Find(set, hash);
        if (*slot != hash)
        {
            return false;
        }

        // Moves back whatever would no longer be found behind the hole.
        uint mask = (uint)set.Capacity - 1;
        uint hole = (uint)(slot - set.Slots);
        for (uint i = (hole + 1) & mask; set.Slots[i] != 0; i = (i + 1) & mask)
        {
            uint home = (uint)set.Slots[i] & mask;
            if (((i - home) & mask) >= ((i - hole) & mask))
            {
                set.Slots[hole] = set.Slots[i];
                hole = i;
            }
        }

        set.Slots[hole] = 0;
        set.Count--;
        return true;
    }

    /// <summary>Empties a set and takes its memory back.</summary>
    public void Free(ref SpanIdSet set)
    {
        if (set.Slots != null)
        {
            Return(set.Slots, set.Capacity);
        }

        set = default;
    }

    /// <summary>Frees all memory; every set is dead then.</summary>
    public void Dispose()
    {
        foreach (nint chunk in _chunks)
        {
            NativeMemory.Free((void*)chunk);
        }

        _chunks.Clear();
        Array.Clear(_free);
    }

    private static ulong* Find(in SpanIdSet set, ulong hash)
    {
        uint mask = (uint)set.Capacity - 1;
        uint i = (uint)hash & mask;
        while (set.Slots[i] != 0 && set.Slots[i] != hash)
        {
            i = (i + 1) & mask;
        }

        return set.Slots + i;
    }

    private void Grow(ref SpanIdSet set)
    {
        SpanIdSet larger = new() { Capacity = Math.Max(set.Capacity * 2, 1 << SmallestBits), Count = set.Count };
        larger.Slots = Rent(larger.Capacity);
        for (int i = 0; i < set.Capacity; i++)
        {
            if (set.Slots[i] != 0)
            {
                *Find(larger, set.Slots[i]) = set.Slots[i];
            }
        }

        if (set.Slots != null)
        {
            Return(set.Slots, set.Capacity);
        }

        set = larger;
    }

    private ulong* Rent(int capacity)
    {
        int bits = int.Log2(capacity);
        ulong* slots;
        if (bits > LargestPooledBits)
        {
            Bytes += capacity * sizeof(ulong);
            slots = (ulong*)NativeMemory.AllocZeroed((nuint)capacity, sizeof(ulong));
            return slots;
        }

        if (_free[bits] == 0)
        {
            Cut(bits);
        }

        slots = (ulong*)_free[bits];
        _free[bits] = (nint)slots[0];
        new Span<ulong>(slots, capacity).Clear();
        return slots;
    }

    private void Return(ulong* slots, int capacity)
    {
        int bits = int.Log2(capacity);
        if (bits > LargestPooledBits)
        {
            Bytes -= capacity * sizeof(ulong);
            NativeMemory.Free(slots);
            return;
        }

        slots[0] = (ulong)_free[bits];
        _free[bits] = (nint)slots;
    }

    private void Cut(int bits)
    {
        byte* chunk = (byte*)NativeMemory.Alloc(ChunkBytes);
        Bytes += ChunkBytes;
        _chunks.Add((nint)chunk);
        int size = sizeof(ulong) << bits;
        for (int offset = ChunkBytes - size; offset >= 0; offset -= size)
        {
            *(ulong*)(chunk + offset) = (ulong)_free[bits];
            _free[bits] = (nint)(chunk + offset);
        }
    }
}

/// <summary>One set of <see cref="SpanIdSets"/>; the default is empty.</summary>
internal unsafe struct SpanIdSet
{
    public ulong* Slots;
    public int Capacity;
    public int Count;
}
