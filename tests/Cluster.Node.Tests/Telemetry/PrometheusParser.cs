using System.Globalization;
using System.Text.RegularExpressions;

namespace Cluster.Node.Tests.Telemetry;

/// <summary>A sample as parsed.</summary>
internal sealed record ParsedSample(string Name, IReadOnlyList<(string Name, string Value)> Labels, double Value)
{
    public string? this[string label] => Labels.FirstOrDefault(pair => pair.Name == label).Value;

    /// <summary>Name and labels, for comparing.</summary>
    public string Key => $"{Name}{{{string.Join(",", Labels.Select(pair => $"{pair.Name}={pair.Value}"))}}}";
}

/// <summary>A metric as parsed.</summary>
internal sealed record ParsedMetric(string Name, string Help, string Type, List<ParsedSample> Samples);

/// <summary>
/// Reads Prometheus' text format 0.0.4 more strictly than Prometheus does: HELP then TYPE then samples, once for each metric, no sample
/// outside its metric, no series twice, no unknown escape, histograms whole and cumulative.
/// </summary>
internal static partial class PrometheusParser
{
    public static Dictionary<string, ParsedMetric> Parse(string text)
    {
        if (!text.EndsWith('\n'))
        {
            throw new FormatException("the last line has no end");
        }

        Dictionary<string, ParsedMetric> metrics = [];
        HashSet<string> series = [];
        string[] lines = text[..^1].Split('\n');
        ParsedMetric? current = null;
        for (int i = 0; i < lines.Length; i++)
        {
            Match help = HelpLine().Match(lines[i]);
            if (help.Success)
            {
                Match type = i + 1 < lines.Length ? TypeLine().Match(lines[++i]) : Match.Empty;
                if (!type.Success || type.Groups["name"].Value != help.Groups["name"].Value)
                {
                    throw new FormatException($"no TYPE after: {lines[i - 1]}");
                }

                current = new ParsedMetric(help.Groups["name"].Value, Unescape(help.Groups["text"].Value, quotes: false), type.Groups["type"].Value, []);
                if (!metrics.TryAdd(current.Name, current))
                {
                    throw new FormatException($"{current.Name} is there twice");
                }

                continue;
            }

            ParsedSample sample = ParseSample(lines[i]);
            if (current is null || !Belongs(sample.Name, current))
            {
                throw new FormatException($"not of the metric before it: {lines[i]}");
            }

            if (!series.Add(sample.Key))
            {
                throw new FormatException($"twice: {lines[i]}");
            }

            current.Samples.Add(sample);
        }

        foreach (ParsedMetric metric in metrics.Values.Where(metric => metric.Type == "histogram"))
        {
            CheckHistogram(metric);
        }

        return metrics;
    }

    private static bool Belongs(string sample, ParsedMetric metric) => metric.Type == "histogram"
        ? sample == metric.Name + "_bucket" || sample == metric.Name + "_sum" || sample == metric.Name + "_count"
        : sample == metric.Name;

    private static void CheckHistogram(ParsedMetric metric)
    {
        ParsedSample[] buckets = [.. metric.Samples.Where(sample => sample.Name == metric.Name + "_bucket")];
        double[] bounds = [.. buckets.Select(bucket => Number(bucket["le"] ?? throw new FormatException($"{metric.Name} has a bucket without le")))];
        double[] counts = [.. buckets.Select(bucket => bucket.Value)];
        if (!bounds.SequenceEqual(bounds.Distinct().Order()) || !counts.SequenceEqual(counts.Order()))
        {
            throw new FormatException($"{metric.Name}: buckets are not cumulative");
        }

        if (bounds.Length == 0 || bounds[^1] != double.PositiveInfinity || metric.Samples.Single(sample => sample.Name == metric.Name + "_count").Value != counts[^1])
        {
            throw new FormatException($"{metric.Name}: the last bucket is not everything");
        }

        _ = metric.Samples.Single(sample => sample.Name == metric.Name + "_sum");
    }

    private static ParsedSample ParseSample(string line)
    {
        Match match = SampleLine().Match(line);
        if (!match.Success)
        {
            throw new FormatException($"no sample: {line}");
        }

        List<(string Name, string Value)> labels = [];
        for (int i = 0; i < match.Groups["label"].Captures.Count; i++)
        {
            labels.Add((match.Groups["label"].Captures[i].Value, Unescape(match.Groups["value"].Captures[i].Value, quotes: true)));
        }

        return labels.Select(label => label.Name).Distinct().Count() == labels.Count
            ? new ParsedSample(match.Groups["name"].Value, labels, Number(match.Groups["number"].Value))
            : throw new FormatException($"a label twice: {line}");
    }

    private static double Number(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => double.Parse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture),
    };

    private static string Unescape(string text, bool quotes) => Escaped().Replace(text, match => match.Value switch
    {
        @"\\" => @"\",
        @"\n" => "\n",
        "\\\"" when quotes => "\"",
        _ => throw new FormatException($"unknown escape {match.Value}"),
    });

    [GeneratedRegex(@"^# HELP (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<text>.+)$")]
    private static partial Regex HelpLine();

    [GeneratedRegex(@"^# TYPE (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?<type>counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?<label>[a-zA-Z_][a-zA-Z0-9_]*)=""(?<value>([^""\\]|\\.)*)""(,(?!\})|(?=\})))+\})? (?<number>[^ ]+)$")]
    private static partial Regex SampleLine();

    [GeneratedRegex(@"\\.?", RegexOptions.Singleline)]
    private static partial Regex Escaped();
}
