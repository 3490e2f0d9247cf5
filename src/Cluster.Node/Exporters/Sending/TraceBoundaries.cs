using System.Buffers.Binary;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Node.Exporters.Sending;

/// <summary>A place between two traces of a request.</summary>
/// <param name="Offset">Offset of the first byte after the cut.</param>
/// <param name="TracesBefore">Traces before it.</param>
/// <param name="SpansBefore">Spans before it.</param>
internal readonly record struct TraceCut(int Offset, int TracesBefore, int SpansBefore);

/// <summary>
/// Finds where a request can be cut without dividing a trace: between two <c>ResourceSpans</c> of which the first ends with another trace
/// than the second begins with, since the spans of a trace are always together. Cold path: read only when a request is too large or was refused.
/// </summary>
internal static class TraceBoundaries
{
    private const uint ResourceSpansTag = (OtlpFields.ExportTraceServiceRequest.ResourceSpans << 3) | (uint)WireType.LengthDelimited;
    private const uint ScopeSpansTag = (OtlpFields.ResourceSpans.ScopeSpans << 3) | (uint)WireType.LengthDelimited;
    private const uint SpanTag = (OtlpFields.ScopeSpans.Spans << 3) | (uint)WireType.LengthDelimited;
    private const uint TraceIdTag = (OtlpFields.Span.TraceId << 3) | (uint)WireType.LengthDelimited;

    /// <summary>The cut nearest to the middle. False when there is none, or the bytes are no request.</summary>
    public static bool TryFindMiddle(ReadOnlySpan<byte> request, out TraceCut middle)
    {
        middle = default;
        Walk walk = default;
        WireReader reader = new(request);
        while (true)
        {
            int start = reader.Position;
            if (!reader.TryReadTag(out uint tag))
            {
                return reader.AtEnd && middle.Offset > 0;
            }

            if (tag != ResourceSpansTag)
            {
                if (!reader.TrySkip(tag))
                {
                    return false;
                }

                continue;
            }

            Walk before = walk;
            walk.AtBoundary = true;
            if (!reader.TryReadBytes(out ReadOnlySpan<byte> resourceSpans) || !ReadResourceSpans(resourceSpans, ref walk))
            {
                return false;
            }

            bool cut = before.Spans > 0 && walk.StartsNewTrace;
            if (cut && Math.Abs(start - request.Length / 2) < Math.Abs(middle.Offset - request.Length / 2))
            {
                middle = new TraceCut(start, before.Traces, before.Spans);
            }
        }
    }

    private static bool ReadResourceSpans(ReadOnlySpan<byte> message, ref Walk walk)
    {
        WireReader reader = new(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == ScopeSpansTag)
            {
                if (!reader.TryReadBytes(out ReadOnlySpan<byte> scopeSpans) || !ReadScopeSpans(scopeSpans, ref walk))
                {
                    return false;
                }
            }
            else if (!reader.TrySkip(tag))
            {
                return false;
            }
        }

        return reader.AtEnd;
    }

    private static bool ReadScopeSpans(ReadOnlySpan<byte> message, ref Walk walk)
    {
        WireReader reader = new(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == SpanTag)
            {
                if (!reader.TryReadBytes(out ReadOnlySpan<byte> span) || !ReadSpan(span, ref walk))
                {
                    return false;
                }
            }
            else if (!reader.TrySkip(tag))
            {
                return false;
            }
        }

        return reader.AtEnd;
    }

    private static bool ReadSpan(ReadOnlySpan<byte> message, ref Walk walk)
    {
        WireReader reader = new(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == TraceIdTag)
            {
                if (!reader.TryReadBytes(out ReadOnlySpan<byte> id) || id.Length != 16)
                {
                    return false;
                }

                walk.Add(BinaryPrimitives.ReadUInt128LittleEndian(id));
                return true;
            }

            if (!reader.TrySkip(tag))
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>What was seen so far.</summary>
    private struct Walk
    {
        private UInt128 _trace;

        public bool AtBoundary;
        public bool StartsNewTrace;
        public int Traces;
        public int Spans;

        public void Add(UInt128 trace)
        {
            bool other = Spans == 0 || trace != _trace;
            if (AtBoundary)
            {
                StartsNewTrace = other;
                AtBoundary = false;
            }

            Traces += other ? 1 : 0;
            Spans++;
            _trace = trace;
        }
    }
}
