using System.Runtime.InteropServices;

namespace Cluster.Messages.Frames;

/// <summary>A frame, read in place. The view is valid as long as the bytes are.</summary>
public readonly ref struct FrameReader
{
    private readonly ReadOnlySpan<byte> _frame;

    private FrameReader(ReadOnlySpan<byte> frame, FrameHeader header)
    {
        _frame = frame;
        Header = header;
    }

    /// <summary>The header.</summary>
    public FrameHeader Header { get; }

    /// <summary>The slice table.</summary>
    public ReadOnlySpan<FrameSlice> Slices =>
        MemoryMarshal.Cast<byte, FrameSlice>(_frame.Slice(FrameHeader.Size, Header.SliceCount * FrameSlice.Size));

    /// <summary>The context table.</summary>
    public ReadOnlySpan<FrameContext> Contexts =>
        MemoryMarshal.Cast<byte, FrameContext>(
            _frame.Slice(FrameHeader.Size + Header.SliceCount * FrameSlice.Size, Header.ContextCount * FrameContext.Size));

    /// <summary>
    /// Opens the frame at the start of <paramref name="bytes"/> and checks that every length and index in it stays inside it, that its
    /// slices together are no longer than it is, and that their spans add up, so that nothing that was read over a wire or from a disk
    /// can lead outside. What spans look like inside is not checked.
    /// </summary>
    /// <returns>False when it is no whole frame of this version.</returns>
    public static bool TryOpen(ReadOnlySpan<byte> bytes, out FrameReader frame)
    {
        frame = default;
        if (bytes.Length < FrameHeader.Size)
        {
            return false;
        }

        FrameHeader header = MemoryMarshal.Read<FrameHeader>(bytes);
        if (header.Version != FrameFormat.Version || header.SliceCount < 0 || header.ContextCount < 0 || header.Length > bytes.Length)
        {
            return false;
        }

        long tables = FrameHeader.Size + (long)header.SliceCount * FrameSlice.Size + (long)header.ContextCount * FrameContext.Size;
        if (tables > header.Length)
        {
            return false;
        }

        FrameReader reader = new(bytes[..header.Length], header);
        foreach (ref readonly FrameContext context in reader.Contexts)
        {
            if (!IsInside(context.Offset, (long)context.ResourceLength + context.ScopeLength, tables, header.Length)
                || context.ResourceLength < 0 || context.ScopeLength < 0)
            {
                return false;
            }
        }

        long spans = 0;
        long spanBytes = 0;
        foreach (ref readonly FrameSlice slice in reader.Slices)
        {
            if ((uint)slice.Context >= (uint)header.ContextCount || slice.SpanCount < 1 || !IsInside(slice.Offset, slice.Length, tables, header.Length))
            {
                return false;
            }

            spans += slice.SpanCount;
            spanBytes += slice.Length;
        }

        // Slices that overlap could make a small frame large.
        if (spans != header.SpanCount || spanBytes > header.Length - tables)
        {
            return false;
        }

        frame = reader;
        return true;
    }

    /// <summary>The spans of a slice: <c>ScopeSpans.spans</c> fields, one after the other.</summary>
    public ReadOnlySpan<byte> Spans(in FrameSlice slice) => _frame.Slice(slice.Offset, slice.Length);

    /// <summary>The bytes of a context: resource fields, then scope fields.</summary>
    public ReadOnlySpan<byte> Context(in FrameContext context) =>
        _frame.Slice(context.Offset, context.ResourceLength + context.ScopeLength);

    private static bool IsInside(int offset, long length, long from, long to) => length >= 0 && offset >= from && offset + length <= to;
}
