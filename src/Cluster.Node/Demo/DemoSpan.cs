namespace Cluster.Node.Demo;

/// <summary>One span of the demo, before it is encoded.</summary>
internal sealed class DemoSpan
{
    /// <summary>Its service.</summary>
    public required string Service { get; init; }

    /// <summary>16 bytes.</summary>
    public required byte[] TraceId { get; init; }

    /// <summary>8 bytes.</summary>
    public required byte[] SpanId { get; init; }

    /// <summary>8 bytes; empty for a root.</summary>
    public required byte[] ParentSpanId { get; init; }

    /// <summary>Span name.</summary>
    public required string Name { get; init; }

    /// <summary>2 server, 3 client.</summary>
    public required int Kind { get; init; }

    /// <summary>Milliseconds from the trace's start to the span's.</summary>
    public required double Start { get; init; }

    /// <summary>Milliseconds from the trace's start to the span's end.</summary>
    public double End { get; set; }

    /// <summary>Strings, longs and bools by key.</summary>
    public List<KeyValuePair<string, object>> Attributes { get; } = [];

    /// <summary>What went wrong; null when nothing did.</summary>
    public string? Error { get; set; }
}
