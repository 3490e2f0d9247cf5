using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing.Otlp;

namespace Cluster.EndToEnd.Tests;

/// <summary><c>actorsampling run --demo</c>.</summary>
public sealed class DemoTests
{
    [Fact]
    public async Task Demo_WithinAWhile_ShowsAnErrorThatCrossedServices()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        NodeSettings settings = new(backend) { DecisionWait = "500ms" };
        await using NodeProcess node = await NodeProcess.StartAsync(settings.ToYaml(), "--demo");
        await Eventually.HoldsAsync(
            () => backend.Received.SelectMany(Delivery.Of).GroupBy(span => span.TraceId).Any(trace =>
                trace.Any(span => span.Span.Status?.Code == Status.Types.StatusCode.Error)
                && trace.Select(span => span.Resource).Distinct().Count() >= 3),
            () => $"an error arrived; {backend.Received.Count} requests did");
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Problems);
    }
}
