using System.Globalization;
using System.Text;
using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Exporters.Local;

/// <summary>
/// Kept traces as text for a person: one line a trace (start, trace ID, duration, spans, services, errors, root), and in detail one
/// more a span, indented as the tree. Text from spans cannot break lines or steer a terminal.
/// </summary>
internal static class TraceSummary
{
    private const int LongestText = 200;
    private const int DeepestIndent = 40;

    private static readonly string[] Kinds = ["", "internal", "server", "client", "producer", "consumer"];

    /// <summary>Appends the traces of <paramref name="request"/>.</summary>
    /// <exception cref="FormatException">It is no request.</exception>
    public static void Write(ReadOnlySpan<byte> request, bool detailed, StringBuilder output)
    {
        List<Span> spans = [];
        TraceId trace = default;
        foreach (OtlpSpan span in new OtlpTraceReader(request))
        {
            TraceId id = span.TraceId;
            if (spans.Count > 0 && id != trace)
            {
                WriteTrace(trace, spans, detailed, output);
                spans.Clear();
            }

            trace = id;
            spans.Add(Read(span));
        }

        if (spans.Count > 0)
        {
            WriteTrace(trace, spans, detailed, output);
        }
    }

    private static void WriteTrace(TraceId trace, List<Span> spans, bool detailed, StringBuilder output)
    {
        Span root = spans.Find(span => !span.Parent.IsValid) ?? spans.MinBy(span => span.Start)!;
        ulong start = spans.Min(span => span.Start);
        ulong end = spans.Max(span => span.End);
        int services = spans.Select(span => span.Service).Distinct(StringComparer.Ordinal).Count();
        int errors = spans.Count(span => span.Error);
        DateTime at = DateTime.UnixEpoch.AddTicks((long)Math.Min(start / 100, (ulong)(DateTime.MaxValue - DateTime.UnixEpoch).Ticks));
        output.Append(CultureInfo.InvariantCulture, $"{at:HH:mm:ss.fff}  {trace}  {Milliseconds(start, end),12}  ");
        output.Append(CultureInfo.InvariantCulture, $"{Count(spans.Count, "span"),-10} {Count(services, "service"),-11} ");
        output.Append(CultureInfo.InvariantCulture, $"{Count(errors, "error"),-9} ");
        output.Append(root.Parent.IsValid ? "(no root) " : "");
        output.Append(CultureInfo.InvariantCulture, $"{root.Service}: {root.Name}\n");
        if (detailed)
        {
            WriteTree(spans, output);
        }
    }

    private static void WriteTree(List<Span> spans, StringBuilder output)
    {
        spans.Sort((a, b) => a.Start.CompareTo(b.Start));
        HashSet<SpanId> known = [.. spans.Select(span => span.Id)];
        ILookup<SpanId, Span> children = spans.ToLookup(span => span.Parent);
        Stack<(Span Span, int Depth)> next = new();
        foreach (Span top in spans.Where(span => !known.Contains(span.Parent)))
        {
            WriteBranch(top, children, next, output);
        }

        // Only spans that are their own ancestors are left.
        foreach (Span lost in spans.Where(span => !span.Written))
        {
            WriteBranch(lost, children, next, output);
        }
    }

    private static void WriteBranch(Span top, ILookup<SpanId, Span> children, Stack<(Span Span, int Depth)> next, StringBuilder output)
    {
        next.Push((top, 0));
        while (next.TryPop(out (Span Span, int Depth) item))
        {
            if (item.Span.Written)
            {
                continue;
            }

            item.Span.Written = true;
            WriteSpan(item.Span, item.Depth, output);
            foreach (Span child in children[item.Span.Id].Reverse())
            {
                next.Push((child, item.Depth + 1));
            }
        }
    }

    private static void WriteSpan(Span span, int depth, StringBuilder output)
    {
        output.Append(' ', 4 + 2 * Math.Min(depth, DeepestIndent));
        output.Append(CultureInfo.InvariantCulture, $"{span.Service}: {span.Name}  {Milliseconds(span.Start, span.End)}");
        output.Append(span.Kind.Length > 0 ? "  " : "").Append(span.Kind);
        output.Append(span.Error ? "  error" : "");
        output.Append(span.Message.Length > 0 ? ": " : "").Append(span.Message);
        output.Append(depth == 0 && span.Parent.IsValid ? $"  (parent {span.Parent} missing)" : "");
        output.Append('\n');
    }

    private static Span Read(OtlpSpan span) => new()
    {
        Id = span.SpanId,
        Parent = span.ParentSpanId,
        Service = Clean(span.ServiceName ?? "(no service)"),
        Name = Clean(span.Name),
        Kind = (uint)span.Kind < (uint)Kinds.Length ? Kinds[span.Kind] : "",
        Start = span.StartTimeUnixNano,
        End = span.EndTimeUnixNano,
        Error = span.StatusCode == 2,
        Message = Clean(span.StatusMessage),
    };

    private static string Milliseconds(ulong start, ulong end) =>
        string.Create(CultureInfo.InvariantCulture, $"{(end > start ? end - start : 0) / 1e6:0.000} ms");

    private static string Count(int number, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{number} {what}{(number == 1 ? "" : "s")}");

    private static string Clean(string text)
    {
        text = Text.Shorten(text, LongestText);
        return text.Any(NeedsReplacing) ? string.Concat(text.Select(c => NeedsReplacing(c) ? '?' : c)) : text;
    }

    // Control characters end lines and begin terminal commands; format characters turn text around.
    private static bool NeedsReplacing(char c) =>
        char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private sealed class Span
    {
        public required SpanId Id { get; init; }

        public required SpanId Parent { get; init; }

        public required string Service { get; init; }

        public required string Name { get; init; }

        public required string Kind { get; init; }

        public required ulong Start { get; init; }

        public required ulong End { get; init; }

        public required bool Error { get; init; }

        public required string Message { get; init; }

        public bool Written { get; set; }
    }
}
