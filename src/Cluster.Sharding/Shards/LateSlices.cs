using Cluster.Messages.Frames;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// Slices of one frame that belong to kept traces, on their way straight to the writer. Those under one context go together: written one
/// by one, a frame of many traces under a large resource would become larger by orders of magnitude, at once and whether or not
/// there is room for it. Used by one thread at a time.
/// </summary>
internal sealed class LateSlices
{
    /// <summary>A longer array is given up after use.</summary>
    private const int KeptEntries = 4096;

    private long[] _slices = new long[16];
    private int _count;

    /// <summary>Forgets what was noted of a frame that could not be taken to its end.</summary>
    public void Clear() => _count = 0;

    /// <summary>Notes a slice.</summary>
    /// <param name="context">Its context in the frame.</param>
    /// <param name="index">Its place in the frame's slice table.</param>
    public void Add(int context, int index)
    {
        if (_count == _slices.Length)
        {
            Array.Resize(ref _slices, _count * 2);
        }

        _slices[_count++] = ((long)context << 32) | (uint)index;
    }

    /// <summary>What was noted, as numbers that <see cref="Note"/> takes.</summary>
    public ReadOnlySpan<long> Noted => _slices.AsSpan(0, _count);

    /// <summary>Notes a slice by its number among <see cref="Noted"/>.</summary>
    public void Note(long slice) => Add((int)(slice >> 32), (int)(uint)slice);

    /// <summary>Writes what was noted, and forgets it.</summary>
    public void Write(FrameReader frame, KeptTraceWriter writer)
    {
        if (_count == 0)
        {
            return;
        }

        Span<long> slices = _slices.AsSpan(0, _count);
        slices.Sort();
        for (int first = 0; first < slices.Length;)
        {
            int end = first + 1;
            while (end < slices.Length && slices[end] >> 32 == slices[first] >> 32)
            {
                end++;
            }

            writer.WriteLate(frame, slices[first..end]);
            first = end;
        }

        _count = 0;
        if (_slices.Length > KeptEntries)
        {
            _slices = new long[16];
        }
    }
}
