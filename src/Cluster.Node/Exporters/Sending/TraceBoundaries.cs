using Cluster.Messages.Identity;
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
/// than the second begins with, since the spans of a trace are always together. Cold path: read only when a request is too large or
/// was refused.
/// </summary>
internal static class TraceBoundaries
{
    /// <summary>The cut nearest to the middle. False when there is none, or the bytes are no request.</summary>
    public static bool TryFindMiddle(ReadOnlySpan<byte> request, out TraceCut middle)
    {
        middle = default;
        int traces = 0;
        int spans = 0;
        TraceId last = default;
        WireReader reader = new(request);
        try
        {
            for (int start = 0; reader.TryReadTag(out uint tag) && reader.TrySkip(tag); start = reader.Position)
            {
                TraceCut here = new(start, traces, spans);
                bool first = true;
                foreach (OtlpSpan span in new OtlpTraceReader(request[start..reader.Position]))
                {
                    TraceId trace = span.TraceId;
                    bool other = spans == 0 || trace != last;
                    if (first && other && spans > 0 && IsNearer(here.Offset, middle.Offset, request.Length / 2))
                    {
                        middle = here;
                    }

                    first = false;
                    traces += other ? 1 : 0;
                    spans++;
                    last = trace;
                }
            }
        }
        catch (FormatException)
        {
            return false;
        }

        return reader.AtEnd && middle.Offset > 0;
    }

    private static bool IsNearer(int offset, int than, int to) => Math.Abs(offset - to) < Math.Abs(than - to);
}
