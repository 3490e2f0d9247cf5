using Cluster.LoadGenerator.Sink;
using Cluster.LoadGenerator.Workload;
using Cluster.Messages.Identity;

namespace Cluster.LoadGenerator.Tests.Sink;

public sealed class TraceLedgerTests
{
    [Fact]
    public void Walk_AllRequestsOfACell_EveryTraceComplete()
    {
        Cell cell = TraceWorkload.Draw(cells: 1).Cells[0];
        var truth = new TraceTruth();
        truth.Add(cell);
        var ledger = new TraceLedger();

        Assert.True(Walk(cell, ledger, cell.Requests.Length));

        LedgerTotals totals = ledger.Totals();
        Assert.Equal((truth.Traces, truth.Traces, truth.Spans), (totals.Traces, totals.CompleteTraces, totals.Spans));
        Assert.Equal((truth.Error, truth.Slow, truth.Route), (totals.ErrorTraces, totals.SlowTraces, totals.RouteTraces));
        Assert.Equal((truth.MustKeep, truth.MustKeep), (totals.MustKeepTraces, totals.CompleteMustKeepTraces));
        Assert.Equal((0, 0, 12), (totals.DuplicateSpans, totals.ForeignSpans, totals.Requests));
    }

    [Fact]
    public void Walk_OneRequestMissing_ItsTracesAreIncomplete()
    {
        Cell cell = TraceWorkload.Draw(cells: 1).Cells[0];
        var ledger = new TraceLedger();

        Walk(cell, ledger, requests: 11);

        int affected = cell.Traces.Count(trace => trace.Spans.Any(span => span.Service == 11));
        Assert.Equal(affected, ledger.Totals().IncompleteTraces);
    }

    [Fact]
    public void Walk_RequestTwice_ItsSpansAreDuplicates()
    {
        Cell cell = TraceWorkload.Draw(cells: 1).Cells[0];
        var ledger = new TraceLedger();

        Walk(cell, ledger, requests: 1);
        Walk(cell, ledger, requests: 1);

        Assert.Equal(cell.Requests[0].SpanCount, ledger.Totals().DuplicateSpans);
        Assert.Equal(2L * cell.Requests[0].SpanCount, ledger.Totals().Spans);
    }

    [Fact]
    public void AddSpan_ManyTraces_TableGrowsAndForgetsNone()
    {
        const int traces = 200_000;
        var ledger = new TraceLedger();
        for (int pass = 0; pass < 2; pass++)
        {
            for (ulong i = 0; i < traces; i++)
            {
                TraceId id = WorkloadIds.Trace(1, i);
                ledger.AddSpan(id, ((ulong)WorkloadIds.SpanHead(pass, 2, 0) << 32) | WorkloadIds.SpanTail(id));
            }
        }

        Assert.Equal((traces, traces, 0), (ledger.Totals().Traces, ledger.Totals().CompleteTraces, ledger.Totals().DuplicateSpans));
    }

    [Fact]
    public void AddSpan_ForeignOrDamagedIds_CountedApart()
    {
        TraceId id = WorkloadIds.Trace(1, 1);
        ulong spanId = ((ulong)WorkloadIds.SpanHead(0, 8, 0) << 32) | WorkloadIds.SpanTail(id);
        var ledger = new TraceLedger();

        ledger.AddSpan(id with { Low = id.Low ^ 1 }, spanId);
        ledger.AddSpan(id, spanId ^ 1);
        ledger.AddSpan(id, spanId ^ (1UL << 32));
        ledger.AddSpan(id, ((ulong)WorkloadIds.SpanHead(8, 8, 0) << 32) | WorkloadIds.SpanTail(id));

        Assert.Equal((4, 0), (ledger.Totals().ForeignSpans, ledger.Totals().Traces));
    }

    [Fact]
    public void Walk_CutOff_IsFalse()
    {
        byte[] request = TraceWorkload.Draw(cells: 1).Cells[0].Requests[0].Bytes;

        Assert.False(SpanWalker.Walk(request.AsSpan(0, request.Length / 2), new TraceLedger()));
    }

    private static bool Walk(Cell cell, TraceLedger ledger, int requests)
    {
        bool isFine = true;
        foreach (RequestTemplate request in cell.Requests.Take(requests))
        {
            byte[] bytes = new byte[request.Bytes.Length];
            request.Write(bytes, seed: 9, firstTrace: 480, baseNano: 1_800_000_000_000_000_000);
            isFine &= SpanWalker.Walk(bytes, ledger);
        }

        return isFine;
    }
}
