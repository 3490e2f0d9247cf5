namespace Cluster.Sharding.Log;

/// <summary>
/// Cuts slabs into runs of bytes for the shards of one worker loop, one after the other. A slab goes back to the pool when the last run
/// in it is released; since traces are decided about as old as they arrived, slabs end in the order they began.
/// Used by one thread at a time.
/// </summary>
/// <remarks>
/// Invariants: a slab is held exactly while it has runs or is the one that runs are cut from; a free entry has no memory.
/// </remarks>
internal sealed unsafe class SlabAllocator(SlabPool pool) : IDisposable
{
    private Slab[] _slabs = new Slab[16];
    private int _count;
    private int _firstFree = -1;
    private int _current = -1;

    /// <summary>Takes <paramref name="length"/> bytes; the run is released by the slab's number.</summary>
    /// <exception cref="OutOfMemoryException">The system has none left.</exception>
    public byte* Allocate(int length, out int slab)
    {
        if (_current < 0 || _slabs[_current].Capacity - _slabs[_current].Used < length)
        {
            Open(length);
        }

        ref Slab current = ref _slabs[_current];
        byte* run = current.Base + current.Used;
        current.Used += length;
        current.Runs++;
        slab = _current;
        return run;
    }

    /// <summary>Gives back the end of the run that was taken last.</summary>
    public void Shrink(int slab, int unused)
    {
        if (slab == _current)
        {
            _slabs[slab].Used -= unused;
        }
    }

    /// <summary>Ends one run.</summary>
    public void Release(int slab)
    {
        if (--_slabs[slab].Runs == 0)
        {
            if (slab == _current)
            {
                _slabs[slab].Used = 0;
            }
            else
            {
                Close(slab);
            }
        }
    }

    /// <summary>Returns the slab that runs are cut from if it holds none: nothing is held for nothing while memory is short.</summary>
    public void Trim()
    {
        if (_current >= 0 && _slabs[_current].Runs == 0)
        {
            Close(_current);
            _current = -1;
        }
    }

    /// <summary>Returns every slab, whatever it holds.</summary>
    public void Dispose()
    {
        for (int i = 0; i < _count; i++)
        {
            if (_slabs[i].Base != null)
            {
                pool.Return(_slabs[i].Base, _slabs[i].Capacity);
                _slabs[i] = default;
            }
        }

        _count = 0;
        _firstFree = _current = -1;
    }

    private void Open(int length)
    {
        byte* memory = pool.Rent(length, out int capacity);
        int previous = _current;
        int slab;
        if (_firstFree >= 0)
        {
            slab = _firstFree;
            _firstFree = _slabs[slab].Used;
        }
        else
        {
            if (_count == _slabs.Length)
            {
                Array.Resize(ref _slabs, _count * 2);
            }

            slab = _count++;
        }

        _slabs[slab] = new Slab { Base = memory, Capacity = capacity };
        _current = slab;
        if (previous >= 0 && _slabs[previous].Runs == 0)
        {
            Close(previous);
        }
    }

    private void Close(int slab)
    {
        pool.Return(_slabs[slab].Base, _slabs[slab].Capacity);
        _slabs[slab] = new Slab { Used = _firstFree };
        _firstFree = slab;
    }

    private struct Slab
    {
        public byte* Base;
        public int Capacity;

        /// <summary>Bytes cut off so far; in a free entry, the next free one.</summary>
        public int Used;

        public int Runs;
    }
}
