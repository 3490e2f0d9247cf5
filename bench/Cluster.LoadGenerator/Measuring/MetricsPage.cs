using System.Globalization;

namespace Cluster.LoadGenerator.Measuring;

/// <summary>A scrape of a Prometheus text page.</summary>
internal sealed class MetricsPage
{
    private readonly Dictionary<string, double> _sums = [];

    /// <summary>Reads a page; lines that are not samples are passed over.</summary>
    public static MetricsPage Parse(string text)
    {
        var page = new MetricsPage();
        foreach (string line in text.Split('\n'))
        {
            int nameEnd = line.AsSpan().IndexOfAny('{', ' ');
            int labelsEnd = line.LastIndexOf('}');
            if (line.StartsWith('#') || nameEnd <= 0)
            {
                continue;
            }

            string[] values = line[Math.Max(nameEnd, labelsEnd + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (values.Length > 0 && double.TryParse(values[0], CultureInfo.InvariantCulture, out double value))
            {
                string name = line[..nameEnd];
                page._sums[name] = page._sums.GetValueOrDefault(name) + value;
            }
        }

        return page;
    }

    /// <summary>The sum of a metric over all its labels; null when the page does not have it.</summary>
    public double? Sum(string name) => _sums.TryGetValue(name, out double sum) ? sum : null;
}
