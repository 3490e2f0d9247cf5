namespace Cluster.LoadGenerator.Workload;

/// <summary>
/// The workload: 24 cells of request templates, drawn from one seed, the same on every machine. Immutable; thread-safe.
/// </summary>
internal sealed class TraceWorkload
{
    /// <summary>Seed of the published figures.</summary>
    public const ulong DefaultSeed = 20260101;

    /// <summary>Cells of the published figures.</summary>
    public const int DefaultCells = 24;

    private TraceWorkload(Cell[] cells) => Cells = cells;

    /// <summary>The cells, played in turn.</summary>
    public IReadOnlyList<Cell> Cells { get; }

    /// <summary>Draws a workload.</summary>
    public static TraceWorkload Draw(ulong seed = DefaultSeed, int cells = DefaultCells)
    {
        var random = new SplitMix64(seed);
        var drawn = new Cell[cells];
        for (int i = 0; i < cells; i++)
        {
            drawn[i] = Cell.Draw(random);
        }

        return new TraceWorkload(drawn);
    }
}
