using System.Runtime.InteropServices;
using Cluster.Messages.Identity;
using Cluster.Messages.Transport;

namespace Cluster.Messages.Frames;

/// <summary>
/// Version 1 of the frame: the one unit of routing, replication, logging and buffering. It holds spans of one shard, perhaps of many
/// traces, as the bytes that came in. All numbers are little-endian.
/// <code>
/// header        40 bytes   FrameHeader
/// slices        32 each    FrameSlice: spans of one trace under one context, one after the other
/// contexts      16 each    FrameContext: what spans stand under, resource and scope
/// context bytes            for each context: the fields of ResourceSpans but scope_spans, then the fields of ScopeSpans but spans
/// span bytes               the fields "spans" of ScopeSpans, each with a tag of one byte and its length: copied out as they are
/// </code>
/// Nothing is decoded or encoded again on the way, so fields that nobody here knows survive.
/// </summary>
public static class FrameFormat
{
    /// <summary>The version that this code writes, and the only one it reads.</summary>
    public const ushort Version = 1;

    /// <summary>
    /// No frame is longer: each must be one message to its shard's owner and, behind the header of a replication item, to every copy. The same
    /// on a node alone, so that what clients may send does not change when it joins others.
    /// </summary>
    public const int MaxLength = PeerPacketFormat.MaxMessageBytes - PeerMessageHeader.Size - ReplicationItemHeader.Size;

    /// <summary>The tag of <c>ScopeSpans.spans</c>, with which each span in a slice begins.</summary>
    public const byte SpanTag = (Otlp.OtlpFields.ScopeSpans.Spans << 3) | 2;
}

/// <summary>The first bytes of a frame.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FrameHeader
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 40;

    /// <summary><see cref="FrameFormat.Version"/>.</summary>
    public ushort Version;

    /// <summary>The shard that owns every trace in the frame.</summary>
    public ushort Shard;

    /// <summary>Bytes of the whole frame, header included.</summary>
    public int Length;

    /// <summary>The term of the shard's ownership that the sender knew; a lower one than the owner's is refused.</summary>
    public uint Term;

    /// <summary>Entries in the slice table.</summary>
    public int SliceCount;

    /// <summary>Entries in the context table.</summary>
    public int ContextCount;

    /// <summary>Spans in all slices.</summary>
    public int SpanCount;

    /// <summary>Who wrote the frame: a node's incarnation.</summary>
    public ulong Sender;

    /// <summary>Counts the sender's frames; makes a repeated delivery harmless.</summary>
    public ulong Sequence;
}

/// <summary>Spans of one trace under one context.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FrameSlice
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 32;

    /// <summary>Bytes 0 to 7 of the trace ID, as a big-endian number.</summary>
    public ulong TraceIdHigh;

    /// <summary>Bytes 8 to 15 of the trace ID, as a big-endian number.</summary>
    public ulong TraceIdLow;

    /// <summary>Index into the context table.</summary>
    public int Context;

    /// <summary>Where the spans begin, from the start of the frame.</summary>
    public int Offset;

    /// <summary>Bytes of the spans, with their tags and lengths.</summary>
    public int Length;

    /// <summary>Spans in the slice, at least 1.</summary>
    public int SpanCount;

    /// <summary>The trace.</summary>
    public readonly TraceId TraceId => new(TraceIdHigh, TraceIdLow);
}

/// <summary>A resource and a scope that spans stand under.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FrameContext
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 16;

    /// <summary>Where the context's bytes begin, from the start of the frame: resource fields, then scope fields.</summary>
    public int Offset;

    /// <summary>Bytes of the fields of <c>ResourceSpans</c> other than <c>scope_spans</c>.</summary>
    public int ResourceLength;

    /// <summary>Bytes of the fields of <c>ScopeSpans</c> other than <c>spans</c>.</summary>
    public int ScopeLength;

    /// <summary>A hash of the bytes; equal bytes have equal hashes. Only a hint: receivers compare.</summary>
    public uint Hash;
}
