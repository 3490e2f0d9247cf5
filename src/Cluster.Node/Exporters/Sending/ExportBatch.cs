using Cluster.Messages.Protobuf;

namespace Cluster.Node.Exporters.Sending;

/// <summary>
/// What one request carries: runs of kept traces, one after the other, not copied together. Counted by references, because a transport
/// may still be reading the bytes when the call has already failed: made with one, the last <see cref="Release"/> gives all memory back.
/// <see cref="TryRetain"/> and <see cref="Release"/> are thread-safe, the rest belongs to the sender that holds the batch.
/// </summary>
internal sealed class ExportBatch
{
    private readonly TraceRun[] _runs;
    private int _references = 1;

    /// <summary>Takes over the runs' references.</summary>
    public ExportBatch(TraceRun[] runs)
    {
        _runs = runs;
        foreach (TraceRun run in runs)
        {
            Bytes += run.Length;
            Traces += run.Traces;
            Spans += run.Spans;
        }
    }

    /// <summary>The runs, in order.</summary>
    public ReadOnlySpan<TraceRun> Runs => _runs;

    /// <summary>Run number <paramref name="index"/>.</summary>
    public TraceRun this[int index] => _runs[index];

    /// <summary>Number of runs.</summary>
    public int Count => _runs.Length;

    /// <summary>Uncompressed protobuf bytes.</summary>
    public long Bytes { get; }

    /// <summary>Traces (or late parts of traces).</summary>
    public int Traces { get; }

    /// <summary>Spans.</summary>
    public int Spans { get; }

    /// <summary>
    /// The body as it is sent when that is not the runs themselves (compressed, or JSON): made by the client at the first attempt, kept
    /// for the next ones, returned with the batch.
    /// </summary>
    public PooledBuffer? Body { get; set; }

    /// <summary>One more holder. False when the batch is already gone.</summary>
    public bool TryRetain()
    {
        int seen = Volatile.Read(ref _references);
        while (seen > 0)
        {
            int before = Interlocked.CompareExchange(ref _references, seen + 1, seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }

    /// <summary>One holder less; the last gives back the kept traces and the body.</summary>
    public void Release()
    {
        int left = Interlocked.Decrement(ref _references);
        ObjectDisposedException.ThrowIf(left < 0, this);
        if (left == 0)
        {
            Body?.Dispose();
            foreach (TraceRun run in _runs)
            {
                run.Owner.Release();
            }
        }
    }

    /// <summary>
    /// Two batches with about half of this one each, cut between two traces. The caller still releases this one, and each half.
    /// </summary>
    /// <returns>False for a single trace, and for bytes that cannot be cut.</returns>
    public bool TrySplit(out ExportBatch first, out ExportBatch second)
    {
        first = second = this;
        if (_runs.Length > 1)
        {
            int half = _runs.Length / 2;
            first = Part(_runs[..half]);
            second = Part(_runs[half..]);
            return true;
        }

        TraceRun run = _runs[0];
        if (!TraceBoundaries.TryFindMiddle(run.Bytes.Span, out TraceCut cut))
        {
            return false;
        }

        int traces = Math.Clamp(cut.TracesBefore, 0, run.Traces);
        int spans = Math.Clamp(cut.SpansBefore, 0, run.Spans);
        first = Part([run with { Length = cut.Offset, Traces = traces, Spans = spans }]);
        second = Part([new(run.Owner, run.Offset + cut.Offset, run.Length - cut.Offset, run.Traces - traces, run.Spans - spans)]);
        return true;
    }

    private static ExportBatch Part(TraceRun[] runs)
    {
        foreach (TraceRun run in runs)
        {
            run.Owner.Retain();
        }

        return new ExportBatch(runs);
    }
}
