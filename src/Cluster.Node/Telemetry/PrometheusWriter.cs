using System.Globalization;
using System.Text;

namespace Cluster.Node.Telemetry;

/// <summary>
/// Writes Prometheus' text format 0.0.4 (<see href="https://prometheus.io/docs/instrumenting/exposition_formats/"/>): each metric once, its
/// samples together, everything escaped. One use, one thread.
/// </summary>
/// <param name="suffixes">Shows the Collector's metrics under <see cref="MetricDefinition.NameWithSuffixes"/>.</param>
public sealed class PrometheusWriter(bool suffixes = false)
{
    /// <summary>What to say in <c>Content-Type</c>.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new(16 << 10);
    private readonly HashSet<string> _written = new(StringComparer.Ordinal);
    private MetricDefinition? _metric;
    private string _name = "";

    /// <summary>Starts a metric: HELP and TYPE. Its samples follow, before the next one starts.</summary>
    /// <exception cref="InvalidOperationException">It was written before.</exception>
    public void Begin(MetricDefinition metric)
    {
        _metric = metric;
        _name = suffixes ? metric.NameWithSuffixes : metric.Name;
        if (!_written.Add(_name))
        {
            throw new InvalidOperationException($"metric {_name} is written twice");
        }

        _text.Append("# HELP ").Append(_name).Append(' ');
        Escape(metric.Help, quotes: false);
        _text.Append("\n# TYPE ").Append(_name).Append(' ').Append(TypeName(metric.Type)).Append('\n');
    }

    /// <summary>One sample, with a value for each of the metric's labels.</summary>
    /// <exception cref="InvalidOperationException">The number of labels is not the metric's, or it is a histogram.</exception>
    public void Sample(double value, params ReadOnlySpan<string> labels)
    {
        if (_metric is null || _metric.Type == MetricType.Histogram || labels.Length != _metric.Labels.Count)
        {
            throw new InvalidOperationException($"metric {_name} takes other labels");
        }

        _text.Append(_name);
        for (int i = 0; i < labels.Length; i++)
        {
            _text.Append(i == 0 ? '{' : ',').Append(_metric.Labels[i]).Append("=\"");
            Escape(labels[i], quotes: true);
            _text.Append('"');
        }

        _text.Append(labels.Length == 0 ? " " : "} ");
        Number(value);
        _text.Append('\n');
    }

    /// <summary>A metric with one sample and no labels.</summary>
    public void Single(MetricDefinition metric, double value)
    {
        Begin(metric);
        Sample(value);
    }

    /// <summary>A histogram without labels.</summary>
    /// <param name="metric">Its declaration.</param>
    /// <param name="bounds">Upper bounds, ascending, without infinity.</param>
    /// <param name="counts">Observations in each bucket (not cumulative), the last being those above all bounds.</param>
    /// <param name="sum">Of all observations.</param>
    /// <exception cref="InvalidOperationException">It is no histogram, or there is not one count more than bounds.</exception>
    public void Histogram(MetricDefinition metric, ReadOnlySpan<double> bounds, ReadOnlySpan<long> counts, double sum)
    {
        if (metric.Type != MetricType.Histogram || metric.Labels.Count != 0 || counts.Length != bounds.Length + 1)
        {
            throw new InvalidOperationException($"metric {metric.Name} takes other buckets");
        }

        Begin(metric);
        long total = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            total += counts[i];
            _text.Append(_name).Append("_bucket{le=\"");
            Number(i < bounds.Length ? bounds[i] : double.PositiveInfinity);
            _text.Append("\"} ").Append(total).Append('\n');
        }

        _text.Append(_name).Append("_sum ");
        Number(sum);
        _text.Append('\n').Append(_name).Append("_count ").Append(total).Append('\n');
    }

    /// <summary>All of it.</summary>
    public override string ToString() => _text.ToString();

    private static string TypeName(MetricType type) => type switch
    {
        MetricType.Counter => "counter",
        MetricType.Histogram => "histogram",
        _ => "gauge",
    };

    private void Number(double value)
    {
        if (double.IsFinite(value))
        {
            _text.Append(value.ToString("R", CultureInfo.InvariantCulture));
        }
        else
        {
            _text.Append(double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        }
    }

    private void Escape(string text, bool quotes)
    {
        foreach (char c in text)
        {
            switch (c)
            {
                case '\\':
                    _text.Append(@"\\");
                    break;
                case '\n':
                    _text.Append(@"\n");
                    break;
                case '"' when quotes:
                    _text.Append("\\\"");
                    break;
                default:
                    _text.Append(c);
                    break;
            }
        }
    }
}
