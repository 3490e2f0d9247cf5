namespace Cluster.Node.Telemetry;

/// <summary>Type of a metric in Prometheus' text format.</summary>
public enum MetricType
{
    /// <summary>Only grows, until the process restarts.</summary>
    Counter = 0,

    /// <summary>Goes up and down.</summary>
    Gauge = 1,

    /// <summary>Counts in cumulative buckets.</summary>
    Histogram = 2,
}

/// <summary>A metric as declared: the one place that says what it is called and what it means.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Unit">UCUM unit; braces hold what is counted: <c>By</c>, <c>s</c>, <c>ms</c>, <c>{spans}</c>; empty for none.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Labels">Label names, in the order values are given.</param>
public sealed record MetricDefinition(string Name, MetricType Type, string Unit, string Help, params IReadOnlyList<string> Labels)
{
    private const string CollectorPrefix = "otelcol_";

    /// <summary>
    /// The name that a Collector shows whose Prometheus reader adds unit and type suffixes; our own metrics always have theirs.
    /// See the OpenTelemetry specification's Prometheus compatibility page.
    /// </summary>
    public string NameWithSuffixes => Name.StartsWith(CollectorPrefix, StringComparison.Ordinal)
        ? Name + UnitSuffix + (Type == MetricType.Counter ? "_total" : "")
        : Name;

    private string UnitSuffix => Unit switch
    {
        "s" => "_seconds",
        "ms" => "_milliseconds",
        "us" => "_microseconds",
        "By" => "_bytes",
        _ => "",
    };
}
