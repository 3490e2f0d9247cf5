using System.Globalization;
using System.Text.RegularExpressions;
using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>The numbers of <c>docs/capacity.md</c> are those of its formulas.</summary>
public sealed partial class CapacityPageTests
{
    private const double GiB = 1L << 30;
    private const double BytesPerSpan = 670;

    private static readonly string Page = Repository.Read("docs/capacity.md");

    [Fact]
    public void Table_EveryRow_IsWhatTheFormulasGive()
    {
        string table = Page[Page.IndexOf("\n## Table", StringComparison.Ordinal)..];
        table = table[..table.IndexOf("\n## ", 1, StringComparison.Ordinal)];
        string[][] rows = [.. table.Split('\n')
            .Where(line => NumberRow.IsMatch(line))
            .Select(line => line.Trim('|', ' ').Split('|').Select(cell => cell.Trim()).ToArray())];

        Assert.Equal(6, rows.Length);
        Assert.All(rows, row => Assert.Equal(Row(Number(row[0]), Number(row[1]), Number(row[2]), replicas: 1), row[3..]));
    }

    [Fact]
    public void Example_IsTheRowOfTheTable()
    {
        string[] row = Row(200_000, 30, 3, replicas: 1);
        Assert.Contains($"| 200,000 | 30 | 3 | {string.Join(" | ", row)} |", Page, StringComparison.Ordinal);
        Assert.Contains($"| 200,000 x 30 x 670 | {row[0]} GiB |", Page, StringComparison.Ordinal);
        Assert.Contains($"/ 2 | {row[1]} GiB |", Page, StringComparison.Ordinal);
        Assert.Contains($"| {row[2]} GiB: `memory_soft:", Page, StringComparison.Ordinal);
        Assert.Contains($"a limit of {row[3]} GiB |", Page, StringComparison.Ordinal);
        Assert.Contains($"| {row[4]} a node: request 1 |", Page, StringComparison.Ordinal);
    }

    [Fact]
    public void Page_EveryMetric_IsThere()
    {
        string[] metrics = [.. Metric.Matches(Page).Select(match => match.Value).Distinct()];
        string page = Repository.Read("docs/metrics.md");
        Assert.NotEmpty(metrics);
        Assert.All(metrics, metric => Assert.Contains($"`{metric}`", page, StringComparison.Ordinal));
    }

    private static string[] Row(double spans, double wait, double nodes, int replicas)
    {
        double waiting = spans * wait * BytesPerSpan / GiB;
        double held = 1.1 * 1.1 * waiting * (1 + replicas) / (nodes - 1);
        double soft = 1.1 * held;
        double bounds = 0.25 + 0.25 + (2 * 500_000 * 104 / GiB) + (220e6 / GiB);
        double cores = spans * 4.0e-6 / (nodes - 1) / 0.7;
        return [Text(waiting), Text(held), Text(soft), Math.Ceiling((1.25 * soft) + bounds).ToString(CultureInfo.InvariantCulture), Text(cores)];
    }

    private static double Number(string cell) => double.Parse(cell, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    private static string Text(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\| \d[\d,]* \| \d")]
    private static partial Regex NumberRow { get; }

    [GeneratedRegex(@"\bactorsampling_[a-z_]+")]
    private static partial Regex Metric { get; }
}
