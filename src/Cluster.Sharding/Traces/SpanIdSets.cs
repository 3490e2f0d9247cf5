using System.Runtime.InteropServices;

namespace Cluster.Sharding.Traces;

/// <summary>
/// Small sets of 64-bit hashes, one or more a trace, in native memory: a trace's spans, to know a repeated one. Each set is an
/// open-addressing table of 8, 16, 32, … slots. The hashes must be keyed, since slots are chosen by them.
/// Tables of one size share chunks of 64 KiB; a chunk without tables can serve another size or goes back to the system, so that a flood
/// of one size leaves nothing behind. Used by one thread at a time.
/// </summary>
/// <remarks>
/// Invariants: a set keeps at least an eighth of its slots empty, so that every search ends; a chunk is in its size's list exactly while it
/// has both tables and room for one more.
/// </remarks>
internal sealed unsafe class SpanIdSets : IDisposable
{
    /// <summary>Slots of the smallest table, as a power of two.</summary>
    private const int SmallestBits = 3;

    /// <summary>Tables of more slots than this power of two (16 KiB) are allocated alone.</summary>
    private const int LargestSharedBits = 11;

    /// <summary>Bytes of a chunk, and what it is aligned to: a table finds its chunk by its own address.</summary>
    private const int ChunkBytes = 64 * 1024;

    /// <summary>Chunks without tables that are kept for use again.</summary>
    private const int MaxFreeChunks = 64;

    private readonly nint[] _withRoom = new nint[LargestSharedBits + 1];
    private readonly HashSet<nint> _chunks = [];
    private readonly Stack<nint> _freeChunks = [];

    /// <summary>Native bytes in use: tables allocated alone, and chunks that hold at least one.</summary>
    public long Bytes { get; private set; }

    /// <summary>Adds a hash.</summary>
    /// <param name="set">The set; a default one is empty.</param>
    /// <param name="hash">Not 0.</param>
    /// <returns>False when it was there.</returns>
    public bool Add(ref SpanIdSet set, ulong hash)
    {
        if (set.Count >= set.Capacity - set.Capacity / 8)
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

    /// <summary>Frees all chunks; every set that was not freed is dead then.</summary>
    public void Dispose()
    {
        foreach (nint chunk in _chunks)
        {
            NativeMemory.AlignedFree((void*)chunk);
        }

        _chunks.Clear();
        _freeChunks.Clear();
        Array.Clear(_withRoom);
        Bytes = 0;
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
        SpanIdSet larger = new() { Capacity = Math.Max(checked(set.Capacity * 2), 1 << SmallestBits), Count = set.Count };
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
        if (bits > LargestSharedBits)
        {
            ulong* alone = (ulong*)NativeMemory.AllocZeroed((nuint)capacity, sizeof(ulong));
            Bytes += (long)capacity * sizeof(ulong);
            return alone;
        }

        Chunk* chunk = (Chunk*)_withRoom[bits];
        if (chunk == null)
        {
            chunk = Open(bits);
        }

        ulong* slots = chunk->Free;
        if (slots != null)
        {
            chunk->Free = *(ulong**)slots;
        }
        else
        {
            slots = (ulong*)((byte*)chunk + chunk->Cut);
            chunk->Cut += sizeof(ulong) << bits;
        }

        chunk->Tables++;
        if (!HasRoom(chunk, bits))
        {
            Unlink(chunk, bits);
        }

        new Span<ulong>(slots, capacity).Clear();
        return slots;
    }

    private void Return(ulong* slots, int capacity)
    {
        int bits = int.Log2(capacity);
        if (bits > LargestSharedBits)
        {
            Bytes -= (long)capacity * sizeof(ulong);
            NativeMemory.Free(slots);
            return;
        }

        Chunk* chunk = (Chunk*)((nuint)slots & ~(nuint)(ChunkBytes - 1));
        bool hadRoom = HasRoom(chunk, bits);
        *(ulong**)slots = chunk->Free;
        chunk->Free = slots;
        if (--chunk->Tables > 0)
        {
            if (!hadRoom)
            {
                Link(chunk, bits);
            }

            return;
        }

        if (hadRoom)
        {
            Unlink(chunk, bits);
        }

        Close(chunk);
    }

    private static bool HasRoom(Chunk* chunk, int bits) => chunk->Free != null || chunk->Cut + (sizeof(ulong) << bits) <= ChunkBytes;

    private Chunk* Open(int bits)
    {
        if (!_freeChunks.TryPop(out nint memory))
        {
            memory = (nint)NativeMemory.AlignedAlloc(ChunkBytes, ChunkBytes);
            _chunks.Add(memory);
        }

        Bytes += ChunkBytes;
        Chunk* chunk = (Chunk*)memory;
        *chunk = new Chunk { Cut = Chunk.Size };
        Link(chunk, bits);
        return chunk;
    }

    private void Close(Chunk* chunk)
    {
        Bytes -= ChunkBytes;
        if (_freeChunks.Count < MaxFreeChunks)
        {
            _freeChunks.Push((nint)chunk);
            return;
        }

        _chunks.Remove((nint)chunk);
        NativeMemory.AlignedFree(chunk);
    }

    private void Link(Chunk* chunk, int bits)
    {
        Chunk* next = (Chunk*)_withRoom[bits];
        chunk->Previous = null;
        chunk->Next = next;
        if (next != null)
        {
            next->Previous = chunk;
        }

        _withRoom[bits] = (nint)chunk;
    }

    private void Unlink(Chunk* chunk, int bits)
    {
        if (chunk->Previous != null)
        {
            chunk->Previous->Next = chunk->Next;
        }
        else
        {
            _withRoom[bits] = (nint)chunk->Next;
        }

        if (chunk->Next != null)
        {
            chunk->Next->Previous = chunk->Previous;
        }
    }

    /// <summary>The first bytes of a chunk; tables follow.</summary>
    private struct Chunk
    {
        /// <summary>Bytes before the first table.</summary>
        public const int Size = 64;

        public Chunk* Previous;
        public Chunk* Next;

        /// <summary>Tables that were returned, chained through their first slot.</summary>
        public ulong* Free;

        /// <summary>Where the part begins that no table was cut from yet.</summary>
        public int Cut;

        public int Tables;
    }
}

/// <summary>One set of <see cref="SpanIdSets"/>; the default is empty.</summary>
internal unsafe struct SpanIdSet
{
    public ulong* Slots;
    public int Capacity;
    public int Count;
}
