using System.Buffers;
using System.Runtime.InteropServices;

namespace Cluster.Messages.Frames;

/// <summary>
/// The frames of one request, at most one a shard, one after the other in one pooled array. Made by a frame writer, read by the region;
/// whoever made it disposes it once the delivery has completed. Not thread-safe while written; then read-only, but for the terms in the
/// frames' headers, which whoever routes it sets.
/// </summary>
public sealed class FrameBatch : IDisposable
{
    private byte[] _bytes = [];
    private Entry[] _entries = new Entry[16];

    /// <summary>Frames in the batch.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all frames.</summary>
    public int Length { get; private set; }

    /// <summary>Spans in all frames.</summary>
    public int SpanCount { get; private set; }

    /// <summary>Empties the batch and makes room for <paramref name="length"/> bytes, which the caller fills.</summary>
    public Span<byte> Reset(int length)
    {
        if (_bytes.Length < length || _bytes.Length > Math.Max(4L * length, 1 << 20))
        {
            Dispose();
            _bytes = ArrayPool<byte>.Shared.Rent(length);
        }

        Count = 0;
        SpanCount = 0;
        Length = length;
        return _bytes.AsSpan(0, length);
    }

    /// <summary>Notes a frame that was written to the batch's bytes.</summary>
    public void Add(int shard, int offset, int length, int spanCount)
    {
        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Count * 2);
        }

        _entries[Count++] = new Entry(shard, offset, length);
        SpanCount += spanCount;
    }

    /// <summary>The shard of a frame.</summary>
    public int Shard(int index) => _entries[index].Shard;

    /// <summary>A frame's bytes.</summary>
    public ReadOnlySpan<byte> Frame(int index) => _bytes.AsSpan(_entries[index].Offset, _entries[index].Length);

    /// <summary>Sets the term in a frame's header.</summary>
    public void SetTerm(int index, uint term)
    {
        ref FrameHeader header = ref MemoryMarshal.AsRef<FrameHeader>(_bytes.AsSpan(_entries[index].Offset, FrameHeader.Size));
        if (header.Term != term)
        {
            header.Term = term;
        }
    }

    /// <summary>Returns the array to the pool; the batch is then empty and may be used again.</summary>
    public void Dispose()
    {
        byte[] bytes = _bytes;
        _bytes = [];
        Count = 0;
        Length = 0;
        SpanCount = 0;
        if (bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private readonly record struct Entry(int Shard, int Offset, int Length);
}
