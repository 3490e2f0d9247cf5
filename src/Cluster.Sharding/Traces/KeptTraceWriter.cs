using System.Buffers;
using System.Buffers.Binary;
using Cluster.Messages.Frames;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Sharding.Log;

namespace Cluster.Sharding.Traces;

/// <summary>
/// Writes kept traces as OTLP by putting original bytes one after the other under their resource and scope; only lengths are computed
/// anew. Gathers traces into requests of about <see cref="FlushBytes"/> and hands them to the exporters' queue. One for each worker loop; used
/// by one thread at a time.
/// </summary>
/// <remarks>
/// Invariant: between calls the buffer holds whole ResourceSpans only. It never refuses: whoever calls asks <see cref="HasRoom"/> first, trace
/// by trace; late spans are let in at the region's door, and are at most three times as many bytes as the frames they come in.
/// </remarks>
internal sealed class KeptTraceWriter(ContextTable contexts, IKeptTraceQueue queue, byte[]? recordPolicyKey = null) : IDisposable
{
    /// <summary>A request is handed over when it has grown to this.</summary>
    public const int FlushBytes = 256 * 1024;

    /// <summary>
    /// Spans under one ResourceSpans, from which on another is begun: a large trace becomes several requests that receivers still take.
    /// Where resource and scope are larger still, as many bytes as those, so that repeating them never takes more than twice the spans.
    /// </summary>
    private const int MaxGroupBytes = 512 * 1024;

    /// <summary>Slices of a trace, from which on the array for them is given up after use.</summary>
    private const int KeptSlices = 4096;

    private const uint ResourceSpansField = OtlpFields.ExportTraceServiceRequest.ResourceSpans;

    private byte[] _buffer = [];
    private int _length;
    private int _traces;
    private int _spans;
    private long _handOvers;
    private Slice[] _slices = new Slice[64];
    private byte[] _attribute = [];

    /// <summary>Whether the exporters can take more; decisions wait while they cannot.</summary>
    public bool HasRoom => queue.HasRoom;

    /// <summary>Traces written since start.</summary>
    public long TotalTraces { get; private set; }

    /// <summary>Spans written since start.</summary>
    public long TotalSpans { get; private set; }

    /// <summary>Bytes written since start.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>
    /// Told the number of a hand-over when the exporters are done with it, on any thread and in any order; null when nobody wants to know. Set
    /// before the first.
    /// </summary>
    public Action<long>? Done { get; set; }

    /// <summary>The hand-over that holds the end of what was written last: its number, counted from 1.</summary>
    public long HandOver => _length > 0 ? _handOvers + 1 : _handOvers;

    /// <summary>Writes a trace from its slices.</summary>
    /// <param name="traces">Holds the trace.</param>
    /// <param name="trace">The trace.</param>
    /// <param name="log">Holds its bytes.</param>
    /// <param name="policy">Name of the deciding policy in UTF-8, for the record-policy attribute.</param>
    public void WriteTrace(TraceTable traces, int trace, ShardLog log, ReadOnlySpan<byte> policy)
    {
        int count = 0;
        for (int slice = traces[trace].FirstSlice; slice != 0; slice = traces.SliceAt(slice).Next)
        {
            if (count == _slices.Length)
            {
                Array.Resize(ref _slices, count * 2);
            }

            _slices[count++] = traces.SliceAt(slice);
        }

        if (count == 0)
        {
            return;
        }

        // Counted with the first of its requests, should it take several.
        _traces++;
        TotalTraces++;
        Span<Slice> slices = _slices.AsSpan(0, count);
        if (recordPolicyKey is not null && !policy.IsEmpty)
        {
            WriteRecordingPolicy(slices, log, policy);
        }
        else
        {
            WriteGrouped(slices, log);
        }

        FlushIfFull();
        if (_slices.Length > KeptSlices)
        {
            _slices = new Slice[64];
        }
    }

    /// <summary>Writes late spans of kept traces, straight from the frame they came in.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="late">Slices under one context; the lower half of each number is its index.</param>
    public void WriteLate(FrameReader frame, ReadOnlySpan<long> late)
    {
        ReadOnlySpan<FrameSlice> slices = frame.Slices;
        FrameContext context = frame.Contexts[slices[(int)late[0]].Context];
        ReadOnlySpan<byte> fields = frame.Context(context);
        int most = Math.Max(MaxGroupBytes, fields.Length);
        for (int first = 0; first < late.Length;)
        {
            int bytes = slices[(int)late[first]].Length;
            int end = first + 1;
            while (end < late.Length && bytes + slices[(int)late[end]].Length <= most)
            {
                bytes += slices[(int)late[end++]].Length;
            }

            BeginGroup(fields[..context.ResourceLength], fields[context.ResourceLength..], context.ScopeLength + bytes);
            _traces += end - first;
            TotalTraces += end - first;
            for (; first < end; first++)
            {
                ref readonly FrameSlice slice = ref slices[(int)late[first]];
                Append(frame.Spans(slice));
                _spans += slice.SpanCount;
                TotalSpans += slice.SpanCount;
            }

            FlushIfFull();
        }
    }

    /// <summary>Hands over what was gathered, if anything.</summary>
    public void Flush()
    {
        if (_length == 0)
        {
            return;
        }

        byte[] bytes = _buffer;
        if (_length * 2 < _buffer.Length)
        {
            // A mostly empty array would wait in the queue: give away one that fits, and keep this one.
            bytes = ArrayPool<byte>.Shared.Rent(_length);
            _buffer.AsSpan(0, _length).CopyTo(bytes);
        }
        else
        {
            _buffer = [];
        }

        TotalBytes += _length;
        _handOvers++;
        queue.Enqueue(new KeptTraces(bytes, _length, _traces, _spans, Done is null ? null : new HandOver(_handOvers, Done)));
        _length = _traces = _spans = 0;
    }

    /// <summary>Returns the buffer; what it holds is lost.</summary>
    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    private void WriteGrouped(Span<Slice> slices, ShardLog log)
    {
        // Slices under one context become one ResourceSpans; the sort keeps arrival order among them.
        if (slices.Length > 1)
        {
            SortByContext(slices);
        }

        for (int first = 0; first < slices.Length;)
        {
            int context = slices[first].Context;
            ReadOnlySpan<byte> resourceFields = contexts.ResourceFields(context);
            ReadOnlySpan<byte> scopeFields = contexts.ScopeFields(context);
            int most = Math.Max(MaxGroupBytes, resourceFields.Length + scopeFields.Length);
            int bytes = slices[first].Length;
            int end = first + 1;
            while (end < slices.Length && slices[end].Context == context && bytes + slices[end].Length <= most)
            {
                bytes += slices[end++].Length;
            }

            BeginGroup(resourceFields, scopeFields, scopeFields.Length + bytes);
            for (; first < end; first++)
            {
                Append(log.Read(slices[first].Entry, slices[first].Offset, slices[first].Length));
                _spans += slices[first].SpanCount;
                TotalSpans += slices[first].SpanCount;
            }

            FlushIfFull();
        }
    }

    private static void SortByContext(Span<Slice> slices)
    {
        if (slices.Length > 32)
        {
            // Sort by context, then by where the slice stands in arrival order, which Next no longer needs to say.
            for (int i = 0; i < slices.Length; i++)
            {
                slices[i].Next = i;
            }

            slices.Sort(static (a, b) => a.Context != b.Context ? a.Context.CompareTo(b.Context) : a.Next.CompareTo(b.Next));
            return;
        }

        for (int i = 1; i < slices.Length; i++)
        {
            Slice slice = slices[i];
            int j = i;
            for (; j > 0 && slices[j - 1].Context > slice.Context; j--)
            {
                slices[j] = slices[j - 1];
            }

            slices[j] = slice;
        }
    }

    /// <summary>
    /// As <see cref="WriteGrouped"/>, but the root span (else the first) gets one more attribute at its end: a field may stand anywhere in
    /// a message, so only the span's own length changes.
    /// </summary>
    private void WriteRecordingPolicy(Span<Slice> slices, ShardLog log, ReadOnlySpan<byte> policy)
    {
        int target = 0;
        int targetSpan = 0;
        for (int i = 0; i < slices.Length; i++)
        {
            int root = FindRoot(log.Read(slices[i].Entry, slices[i].Offset, slices[i].Length));
            if (root >= 0)
            {
                target = i;
                targetSpan = root;
                break;
            }
        }

        Slice slice = slices[target];
        ReadOnlySpan<byte> spans = log.Read(slice.Entry, slice.Offset, slice.Length);
        WireReader reader = new(spans[(targetSpan + 1)..]);
        reader.TryReadBytes(out ReadOnlySpan<byte> span);
        int after = targetSpan + 1 + reader.Position;

        if (_attribute.Length < recordPolicyKey!.Length + policy.Length + 64)
        {
            _attribute = new byte[recordPolicyKey.Length + policy.Length + 64];
        }

        ReadOnlySpan<byte> attribute = _attribute.AsSpan(0, WriteAttribute(_attribute, recordPolicyKey, policy));
        int longer = WireWriter.LengthDelimitedSize(span.Length + attribute.Length) - (after - targetSpan);

        ReadOnlySpan<byte> scopeFields = contexts.ScopeFields(slice.Context);
        BeginGroup(contexts.ResourceFields(slice.Context), scopeFields, scopeFields.Length + slice.Length + longer);
        Append(spans[..targetSpan]);
        EnsureRoom(WireWriter.MaxVarintSize + 1);
        _length = WireWriter.WriteLengthPrefix(_buffer, _length, OtlpFields.ScopeSpans.Spans, span.Length + attribute.Length);
        Append(span);
        Append(attribute);
        Append(spans[after..]);
        _spans += slice.SpanCount;
        TotalSpans += slice.SpanCount;

        slices[(target + 1)..].CopyTo(slices[target..]);
        WriteGrouped(slices[..^1], log);
    }

    private static int FindRoot(ReadOnlySpan<byte> spans)
    {
        int start = 0;
        while (start < spans.Length)
        {
            WireReader reader = new(spans[(start + 1)..]);
            if (!reader.TryReadBytes(out ReadOnlySpan<byte> span))
            {
                return -1;
            }

            bool hasParent = false;
            WireReader fields = new(span);
            while (fields.TryReadTag(out uint tag))
            {
                if (tag == ((OtlpFields.Span.ParentSpanId << 3) | 2) && fields.TryReadBytes(out ReadOnlySpan<byte> parent))
                {
                    hasParent = parent.Length == 8 && BinaryPrimitives.ReadUInt64BigEndian(parent) != 0;
                }
                else if (!fields.TrySkip(tag))
                {
                    break;
                }
            }

            if (!hasParent)
            {
                return start;
            }

            start += 1 + reader.Position;
        }

        return -1;
    }

    private static int WriteAttribute(Span<byte> buffer, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        int any = WireWriter.LengthDelimitedSize(value.Length);
        int keyValue = WireWriter.LengthDelimitedSize(key.Length) + WireWriter.LengthDelimitedSize(any);
        int position = WireWriter.WriteLengthPrefix(buffer, 0, OtlpFields.Span.Attributes, keyValue);
        position = WireWriter.WriteBytes(buffer, position, OtlpFields.KeyValue.Key, key);
        position = WireWriter.WriteLengthPrefix(buffer, position, OtlpFields.KeyValue.Value, any);
        return WireWriter.WriteBytes(buffer, position, OtlpFields.AnyValue.StringValue, value);
    }

    /// <summary>Writes all of a ResourceSpans up to its spans.</summary>
    private void BeginGroup(ReadOnlySpan<byte> resourceFields, ReadOnlySpan<byte> scopeFields, int scopeSpansLength)
    {
        int resourceSpansLength = resourceFields.Length + WireWriter.LengthDelimitedSize(scopeSpansLength);
        EnsureRoom(WireWriter.LengthDelimitedSize(resourceSpansLength));
        _length = WireWriter.WriteLengthPrefix(_buffer, _length, (int)ResourceSpansField, resourceSpansLength);
        Append(resourceFields);
        _length = WireWriter.WriteLengthPrefix(_buffer, _length, OtlpFields.ResourceSpans.ScopeSpans, scopeSpansLength);
        Append(scopeFields);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        EnsureRoom(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_length));
        _length += bytes.Length;
    }

    private void FlushIfFull()
    {
        if (_length >= FlushBytes)
        {
            Flush();
        }
    }

    private void EnsureRoom(int count)
    {
        if (_buffer.Length - _length >= count)
        {
            return;
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(_length + count), FlushBytes + FlushBytes / 2));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = larger;
    }
}
