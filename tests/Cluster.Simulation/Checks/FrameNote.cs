using Cluster.Simulation.Load;

namespace Cluster.Simulation.Checks;

/// <summary>A frame, as its gateway wrote it.</summary>
/// <param name="Sender">Who wrote it.</param>
/// <param name="Sequence">Its number there.</param>
/// <param name="Shard">Whose it is.</param>
/// <param name="Spans">What is in it.</param>
internal sealed record FrameNote(ulong Sender, ulong Sequence, int Shard, SpanTruth[] Spans)
{
    /// <inheritdoc/>
    public override string ToString() => $"frame {Sender:x4}/{Sequence} of shard {Shard} with {string.Join(", ", (IEnumerable<SpanTruth>)Spans)}";
}
