using Cluster.Node.Telemetry;

namespace Cluster.Node.Tests.Telemetry;

public sealed class PrometheusWriterTests
{
    private static readonly MetricDefinition Plain = new("a_total", MetricType.Counter, "{things}", "Things.");
    private static readonly MetricDefinition Labelled = new("b", MetricType.Gauge, "By", "A \\ and a\nline.", "x", "y");
    private static readonly MetricDefinition Buckets = new("c", MetricType.Histogram, "ms", "Waits.");

    [Fact]
    public void Write_AllKinds_TextIsExact()
    {
        PrometheusWriter writer = new();
        writer.Single(Plain, 3);
        writer.Begin(Labelled);
        writer.Sample(-1.5, "back\\slash", "quote\" and\nline");
        writer.Sample(double.NaN, "", "é");
        writer.Histogram(Buckets, [1, 2.5], [4, 0, 1], 12.25);

        Assert.Equal(
            """
            # HELP a_total Things.
            # TYPE a_total counter
            a_total 3
            # HELP b A \\ and a\nline.
            # TYPE b gauge
            b{x="back\\slash",y="quote\" and\nline"} -1.5
            b{x="",y="é"} NaN
            # HELP c Waits.
            # TYPE c histogram
            c_bucket{le="1"} 4
            c_bucket{le="2.5"} 4
            c_bucket{le="+Inf"} 5
            c_sum 12.25
            c_count 5

            """,
            writer.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("\\n")]
    [InlineData("\\\\\"\n\"")]
    [InlineData("},{=\"")]
    [InlineData("日本\u0001\r")]
    public void Sample_AnyLabelValue_ParsesBack(string value)
    {
        PrometheusWriter writer = new();
        writer.Begin(Labelled);
        writer.Sample(1, value, "y");

        ParsedSample sample = Assert.Single(PrometheusParser.Parse(writer.ToString())["b"].Samples);

        Assert.Equal((value, "y", 1), (sample["x"], sample["y"], sample.Value));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1e21, "1E+21")]
    [InlineData(0.1, "0.1")]
    [InlineData(9007199254740991, "9007199254740991")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    public void Sample_Number_IsWrittenExactly(double value, string text)
    {
        PrometheusWriter writer = new();
        writer.Single(Plain, value);

        Assert.EndsWith($"\na_total {text}\n", writer.ToString(), StringComparison.Ordinal);
        Assert.Equal(value, Assert.Single(PrometheusParser.Parse(writer.ToString())["a_total"].Samples).Value);
    }

    [Fact]
    public void Begin_SameMetricTwice_Throws()
    {
        PrometheusWriter writer = new();
        writer.Single(Plain, 1);

        Assert.Throws<InvalidOperationException>(() => writer.Begin(Plain));
    }

    [Fact]
    public void Sample_WrongLabelsOrBuckets_Throws()
    {
        PrometheusWriter writer = new();
        Assert.Throws<InvalidOperationException>(() => writer.Sample(1));
        writer.Begin(Labelled);
        Assert.Throws<InvalidOperationException>(() => writer.Sample(1, "x"));
        Assert.Throws<InvalidOperationException>(() => writer.Histogram(Buckets, [1, 2], [1, 1], 0));
        Assert.Throws<InvalidOperationException>(() => writer.Histogram(Plain, [1], [1, 1], 0));
    }

    [Theory]
    [InlineData("a 1")]
    [InlineData("# HELP a x\na 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na 1\na 2\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\nb 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"\\t\"} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"1\",} 1\n")]
    [InlineData("# HELP a x\n# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n")]
    [InlineData("# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n")]
    [InlineData("# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n")]
    public void Parse_WrongText_IsFound(string text) => Assert.Throws<FormatException>(() => PrometheusParser.Parse(text));
}
