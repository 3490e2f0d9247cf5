using System.Runtime.InteropServices;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Transport;

/// <summary>
/// The body of <see cref="ReplicationItemKind.Trim"/>: two counts of four bytes, ranges of log entries that are not needed any more, and traces
/// that the exporters are done with. A flag of 1 in the item's header says that the copy now has everything that was acknowledged, and will
/// have; the header's index is then the last in the primary's log, which the copy may not have seen since its entry has ended.
/// </summary>
public static class TrimBody
{
    private const int CountsSize = 2 * sizeof(int);

    /// <summary>Appends a body.</summary>
    public static void Write(PooledBuffer buffer, ReadOnlySpan<IndexRange> ranges, ReadOnlySpan<TraceId> exported)
    {
        buffer.Write(MemoryMarshal.AsBytes<int>([ranges.Length, exported.Length]));
        buffer.Write(MemoryMarshal.AsBytes(ranges));
        buffer.Write(MemoryMarshal.AsBytes(exported));
    }

    /// <summary>Reads a body.</summary>
    /// <returns>False when its length is not what its counts say.</returns>
    public static bool TryRead(ReadOnlySpan<byte> body, out ReadOnlySpan<IndexRange> ranges, out ReadOnlySpan<TraceId> exported)
    {
        ranges = default;
        exported = default;
        if (body.Length < CountsSize)
        {
            return false;
        }

        uint rangeCount = MemoryMarshal.Read<uint>(body);
        uint traceCount = MemoryMarshal.Read<uint>(body[sizeof(int)..]);
        if ((long)rangeCount * IndexRange.Size + (long)traceCount * TraceId.Size != body.Length - CountsSize)
        {
            return false;
        }

        int rangeBytes = (int)rangeCount * IndexRange.Size;
        ranges = MemoryMarshal.Cast<byte, IndexRange>(body.Slice(CountsSize, rangeBytes));
        exported = MemoryMarshal.Cast<byte, TraceId>(body[(CountsSize + rangeBytes)..]);
        return true;
    }
}

/// <summary>Log entries, by index.</summary>
/// <param name="First">The first of them.</param>
/// <param name="Last">The last of them; none when below <paramref name="First"/>.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IndexRange(ulong First, ulong Last)
{
    /// <summary>Bytes of a range.</summary>
    public const int Size = 16;
}
