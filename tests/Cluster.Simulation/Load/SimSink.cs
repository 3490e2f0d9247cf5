using Cluster.Messages.Otlp;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Load;

/// <summary>The back end: notes which spans reached it.</summary>
internal sealed class SimSink(SimWorld world)
{
    /// <summary>Whether it takes anything at the moment.</summary>
    public bool IsUp => Stops == 0;

    /// <summary>Faults under way that stop it.</summary>
    public int Stops { get; set; }

    /// <summary>Spans that came once more.</summary>
    public int Duplicates { get; private set; }

    /// <summary>Spans that came.</summary>
    public int Spans { get; private set; }

    /// <summary>Takes an export request.</summary>
    public void Take(SimProcess from, ReadOnlySpan<byte> request)
    {
        foreach (OtlpSpan span in new OtlpTraceReader(request))
        {
            ulong id = span.SpanId.Value;
            SpanTruth truth = world.Workload.Find(span.TraceId, id)
                ?? throw new ViolationException("sink", $"{from.Name} exported a span that nobody sent: {id:x}");
            if (Workload.Hash(span.Bytes) != truth.BytesHash)
            {
                throw new ViolationException("sink", $"{from.Name} exported {truth} with other bytes than it was sent with");
            }

            Spans++;
            if (++truth.Arrivals > 1)
            {
                Duplicates++;
            }

            world.Log.Write($"sink has {truth} from {from.Name}, time {truth.Arrivals}");
        }
    }
}
