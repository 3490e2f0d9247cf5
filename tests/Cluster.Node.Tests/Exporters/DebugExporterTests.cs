using System.Text;
using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Local;
using Cluster.Node.Exporters.Sending;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Node.Tests.Exporters;

public sealed class DebugExporterTests
{
    [Fact]
    public async Task SendAsync_TwoTraces_PrintsALineEach()
    {
        using MemoryStream output = new();
        DebugExporter exporter = new(new DebugExporterOptions { Id = "debug" }, output);
        ExportBatch batch = new([TraceRun.Whole(Kept.From(Checkout().ToBytes(), 1, 4)), TraceRun.Whole(Kept.Traces(2))]);

        ExportOutcome outcome = await exporter.SendAsync(batch, CancellationToken.None);

        Assert.Equal(ExportVerdict.Accepted, outcome.Verdict);
        Assert.Equal(
            """
            00:00:00.000  9e3779b97f4a7c150000000000000001    312.400 ms  4 spans    3 services  1 error   shop: POST /checkout
            00:00:00.000  3c6ef372fe94f82a0000000000000002      1.000 ms  2 spans    1 service   0 errors  service-2: root

            """.ReplaceLineEndings("\n"),
            Encoding.UTF8.GetString(output.ToArray()));
    }

    [Fact]
    public void Write_Detailed_PrintsTheTree() => Assert.Equal(
        """
        00:00:00.000  9e3779b97f4a7c150000000000000001    312.400 ms  4 spans    3 services  1 error   shop: POST /checkout
            shop: POST /checkout  312.400 ms  server
              payment: charge  250.000 ms  client  error: card declined
                database: SELECT  3.000 ms  internal
              shop: render  10.000 ms  internal

        """.ReplaceLineEndings("\n"),
        Text(Checkout(), detailed: true));

    [Fact]
    public void Write_LatePart_SaysThatTheRootIsNotInIt() => Assert.Equal(
        """
        00:00:01.500  9e3779b97f4a7c150000000000000001      5.000 ms  2 spans    1 service   0 errors  (no root) cart: add
            cart: add  2.000 ms  internal  (parent 0000000000000009 missing)
              cart: store  1.000 ms  internal

        """.ReplaceLineEndings("\n"),
        Text(
            new TraceBuilder().Resource("cart")
                .Span(1, 3, parent: 2, name: "store", startMs: 1504, durationMs: 1)
                .Span(1, 2, parent: 9, name: "add", startMs: 1500, durationMs: 2),
            detailed: true));

    [Fact]
    public void Write_SpansThatAreTheirOwnAncestors_ArePrintedOnce()
    {
        TraceBuilder trace = new TraceBuilder().Resource("loop")
            .Span(1, 1, parent: 2, name: "a").Span(1, 2, parent: 1, name: "b", startMs: 1).Span(1, 3, parent: 3, name: "c", startMs: 2);

        string[] lines = Text(trace, detailed: true).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(["loop: a", "loop: b", "loop: c"], lines[1..].Select(line => line.Trim()[..7]));
    }

    [Fact]
    public void Write_TextOfSpans_CannotBreakLinesOrSteerATerminal()
    {
        TraceBuilder trace = new TraceBuilder().Resource("a\nb").Span(1, 1, name: "x\u001b[2Jy\u202ez").Error(new string('m', 5000));

        string[] lines = Text(trace, detailed: true).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(2, lines.Length);
        Assert.EndsWith("a?b: x?[2Jy?z", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("mm…", lines[1], StringComparison.Ordinal);
        Assert.InRange(lines[1].Length, 200, 300);
    }

    [Fact]
    public void Write_NoRequest_Throws() =>
        Assert.Throws<FormatException>(() => TraceSummary.Write([0x0A, 0x05, 0x01], detailed: false, new StringBuilder()));

    private static TraceBuilder Checkout() => new TraceBuilder()
        .Resource("shop")
        .Span(1, 1, name: "POST /checkout", durationMs: 312.4).Kind(Span.Types.SpanKind.Server)
        .Span(1, 4, parent: 1, name: "render", startMs: 300, durationMs: 10)
        .Resource("payment")
        .Span(1, 2, parent: 1, name: "charge", startMs: 20, durationMs: 250).Kind(Span.Types.SpanKind.Client).Error("card declined")
        .Resource("database")
        .Span(1, 3, parent: 2, name: "SELECT", startMs: 30, durationMs: 3);

    private static string Text(TraceBuilder trace, bool detailed)
    {
        StringBuilder text = new();
        TraceSummary.Write(trace.ToBytes(), detailed, text);
        return text.ToString();
    }
}
