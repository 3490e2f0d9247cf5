using Cluster.Sharding.Traces;

namespace Cluster.Node.Exporters.Sending;

/// <summary>
/// A run of bytes of one <see cref="KeptTraces"/>: all of it, or a part that was cut between two traces. Itself an
/// <c>ExportTraceServiceRequest</c>. Holds one reference to its owner, which whoever has the run gives back.
/// </summary>
/// <param name="Owner">Whose bytes these are.</param>
/// <param name="Offset">Where they begin.</param>
/// <param name="Length">How many they are.</param>
/// <param name="Traces">Traces in them.</param>
/// <param name="Spans">Spans in them.</param>
internal readonly record struct TraceRun(KeptTraces Owner, int Offset, int Length, int Traces, int Spans)
{
    /// <summary>All of <paramref name="traces"/>, taking over the caller's reference.</summary>
    public static TraceRun Whole(KeptTraces traces) => new(traces, 0, traces.Bytes, traces.TraceCount, traces.SpanCount);

    /// <summary>The bytes; valid while the run's reference is held.</summary>
    public ReadOnlyMemory<byte> Bytes => Owner.Request.Slice(Offset, Length);
}
