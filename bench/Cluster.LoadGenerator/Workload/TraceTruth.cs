namespace Cluster.LoadGenerator.Workload;

/// <summary>How many traces of which sort were sent.</summary>
internal sealed class TraceTruth
{
    /// <summary>All traces.</summary>
    public long Traces { get; private set; }

    /// <summary>All their spans.</summary>
    public long Spans { get; private set; }

    /// <summary>Traces with an error.</summary>
    public long Error { get; private set; }

    /// <summary>Slow traces.</summary>
    public long Slow { get; private set; }

    /// <summary>Traces whose route is kept.</summary>
    public long Route { get; private set; }

    /// <summary>Traces that must be kept for at least one of the three reasons.</summary>
    public long MustKeep { get; private set; }

    /// <summary>Adds an instance of a cell.</summary>
    public void Add(Cell cell)
    {
        foreach (TraceShape trace in cell.Traces)
        {
            byte flags = trace.Flags;
            Traces++;
            Spans += trace.Spans.Length;
            Error += flags & 1;
            Slow += (flags >> 1) & 1;
            Route += (flags >> 2) & 1;
            MustKeep += flags == 0 ? 0 : 1;
        }
    }
}
