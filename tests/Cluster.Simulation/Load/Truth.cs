using Cluster.Messages.Identity;

namespace Cluster.Simulation.Load;

/// <summary>A span that clients send: what is known of it by who made it up, and what became of it.</summary>
internal sealed class SpanTruth(TraceTruth trace, ulong id, bool isError)
{
    /// <summary>Its trace.</summary>
    public TraceTruth Trace { get; } = trace;

    /// <summary>Its span ID.</summary>
    public ulong Id { get; } = id;

    /// <summary>Whether its status is error: its trace must be kept, if it came before the verdict.</summary>
    public bool IsError { get; } = isError;

    /// <summary>Hash of its bytes.</summary>
    public ulong BytesHash { get; set; }

    /// <summary>True time at which a node said that it is safe; -1 before.</summary>
    public long Acknowledged { get; set; } = -1;

    /// <summary>Times that it was sent to an owner.</summary>
    public int Sends { get; set; }

    /// <summary>Times that it reached the back end.</summary>
    public int Arrivals { get; set; }

    /// <inheritdoc/>
    public override string ToString() => $"span {Id} of trace {Trace.Number}";
}

/// <summary>A trace that clients send.</summary>
internal sealed class TraceTruth(ulong number, TraceId id, int shard)
{
    /// <summary>Its number.</summary>
    public ulong Number { get; } = number;

    /// <summary>Its ID.</summary>
    public TraceId Id { get; } = id;

    /// <summary>Its shard.</summary>
    public int Shard { get; } = shard;

    /// <summary>Its spans.</summary>
    public List<SpanTruth> Spans { get; } = [];

    /// <summary>True time at which any of its spans was first sent; -1 before.</summary>
    public long FirstSent { get; set; } = -1;

    /// <summary>Whether anything of it reached the back end.</summary>
    public bool HasArrived => Spans.Any(span => span.Arrivals > 0);
}
