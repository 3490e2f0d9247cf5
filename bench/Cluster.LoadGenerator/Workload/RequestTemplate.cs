using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cluster.LoadGenerator.Workload;

/// <summary>Where one span's IDs and times are in a template, and what belongs there.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct SpanPatch
{
    /// <summary>Offset of the trace ID's 16 bytes; the span ID's 8 follow behind two bytes of tag and length, then the parent's.</summary>
    public int IdOffset;

    /// <summary>Offset of the start time's 8 bytes; the end time's follow after one byte of tag.</summary>
    public int TimeOffset;

    /// <summary>The trace's index in its cell.</summary>
    public int Trace;

    /// <summary>False for a root.</summary>
    public bool HasParent;

    /// <summary>Nanoseconds from the cell's time base.</summary>
    public long StartNano;

    /// <summary>Nanoseconds.</summary>
    public long DurationNano;
}

/// <summary>
/// One export request, ready but for its IDs and times, which are patched in place in a copy of it. Immutable; thread-safe.
/// </summary>
/// <param name="Bytes">The request, with or without transport framing around it.</param>
/// <param name="Patches">One for every span.</param>
internal sealed record RequestTemplate(byte[] Bytes, SpanPatch[] Patches)
{
    /// <summary>Spans in the request.</summary>
    public int SpanCount => Patches.Length;

    /// <summary>Copies the template to the start of <paramref name="destination"/> with the IDs and times of one cell instance.</summary>
    /// <param name="destination">At least as long as <see cref="Bytes"/>.</param>
    /// <param name="seed">Seed of the run's trace IDs.</param>
    /// <param name="firstTrace">Number of the cell instance's first trace.</param>
    /// <param name="baseNano">The cell instance's time base, nanoseconds since 1970.</param>
    public void Write(Span<byte> destination, ulong seed, ulong firstTrace, long baseNano)
    {
        Bytes.CopyTo(destination);
        foreach (ref readonly SpanPatch patch in Patches.AsSpan())
        {
            var id = WorkloadIds.Trace(seed, firstTrace + (uint)patch.Trace);
            uint tail = WorkloadIds.SpanTail(id);
            Span<byte> ids = destination.Slice(patch.IdOffset, patch.HasParent ? 36 : 26);
            id.Write(ids);
            BinaryPrimitives.WriteUInt32BigEndian(ids[22..], tail);
            if (patch.HasParent)
            {
                BinaryPrimitives.WriteUInt32BigEndian(ids[32..], tail);
            }

            long start = baseNano + patch.StartNano;
            Span<byte> times = destination.Slice(patch.TimeOffset, 17);
            BinaryPrimitives.WriteInt64LittleEndian(times, start);
            BinaryPrimitives.WriteInt64LittleEndian(times[9..], start + patch.DurationNano);
        }
    }

    /// <summary>The same request elsewhere: new bytes, every patch moved by what <paramref name="moved"/> says of its offset.</summary>
    public RequestTemplate Relocate(byte[] bytes, Func<int, int> moved)
    {
        var patches = (SpanPatch[])Patches.Clone();
        foreach (ref SpanPatch patch in patches.AsSpan())
        {
            patch.IdOffset = moved(patch.IdOffset);
            patch.TimeOffset = moved(patch.TimeOffset);
        }

        return new RequestTemplate(bytes, patches);
    }
}
