using System.Text;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Tests.Telemetry;

public sealed class ProcessInspectionTests
{
    [Theory]
    [InlineData("5000 1234 300 1 0 900 0\n", 1234)]
    [InlineData("5000 7", 7)]
    [InlineData("5000", -1)]
    [InlineData("", -1)]
    [InlineData("a b", -1)]
    public void ParseResidentPages_Statm_SecondNumber(string statm, long pages) =>
        Assert.Equal(pages, ProcessInspection.ParseResidentPages(Encoding.ASCII.GetBytes(statm)));

    [Fact]
    public void Snapshot_ThisProcess_IsPlausible()
    {
        ProcessInspection inspection = new();
        ProcessSnapshot first = inspection.Snapshot();
        ProcessSnapshot second = inspection.Snapshot();

        Assert.InRange(first.ResidentBytes, 4L << 20, 1L << 40);
        Assert.Equal(3, first.GcCollections.Count);
        Assert.All(first.GcCollections, count => Assert.True(count >= 0));
        Assert.True(second.AllocatedBytes >= first.AllocatedBytes);
        Assert.True(second.CpuTime >= first.CpuTime);
        Assert.True(first.StartedAt.Year >= 2024);
        Assert.Equal(first.StartedAt, second.StartedAt);
    }
}
