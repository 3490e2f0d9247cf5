using Cluster.LoadGenerator.Measuring;

namespace Cluster.LoadGenerator.Tests.Measuring;

public sealed class MetricsPageTests
{
    [Fact]
    public void Sum_Page_AddsOverLabels()
    {
        MetricsPage page = MetricsPage.Parse(
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1 } 2\"} 3\na_total{x=\"b\"} 4.5\nb 1e3 1700000000\nbroken\n\n");

        Assert.Equal(7.5, page.Sum("a_total"));
        Assert.Equal(1000, page.Sum("b"));
        Assert.Null(page.Sum("c"));
    }

    [Fact]
    public void CpuSeconds_ThisProcess_IsRead()
    {
        var process = new ObservedProcess(Environment.ProcessId);

        Assert.InRange(process.CpuSeconds(), 0.01, 1e6);
        Assert.InRange(process.ResidentBytes(), 1 << 20, 1L << 40);
    }
}
