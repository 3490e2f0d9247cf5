using System.Net;
using System.Text.Json;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;

namespace Cluster.EndToEnd.Tests;

/// <summary>The admin endpoint of a running node.</summary>
public sealed class AdminTests
{
    [Fact]
    public async Task Admin_OfARunningNode_AnswersEveryQuestion()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "500ms" });
        string kept = TraceBuilder.TraceId(1).ToString();
        string notKept = TraceBuilder.TraceId(2).ToString();
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(new TraceBuilder().Resource("cart").Span(1, 1).Error().Span(2, 1).Build());
        await node.WaitForStateAsync("sampled", kept);
        await node.WaitForStateAsync("not_sampled", notKept);

        foreach (string path in (string[])["/healthz", "/readyz", "/metrics"])
        {
            Assert.Equal(HttpStatusCode.OK, (await node.AskAsync(path)).Status);
        }

        string[] documents =
        [
            "/api/node", "/api/shards", "/api/shards/0", "/api/traces?state=pending&sort=age", "/api/policies", "/api/exporters",
            "/api/openapi.json",
        ];
        foreach (string path in documents)
        {
            (HttpStatusCode status, string body) = await node.AskAsync(path);
            Assert.True(status == HttpStatusCode.OK, $"{path}: {status} {body}");
            using JsonDocument document = JsonDocument.Parse(body);
            Assert.Equal(JsonValueKind.Object, document.RootElement.ValueKind);
        }

        string metrics = (await node.AskAsync("/metrics")).Body;
        Assert.Contains("otelcol_processor_tail_sampling_", metrics, StringComparison.Ordinal);
        Assert.Contains("policy=\"errors\"", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Admin_AboutATrace_SaysWhyForKeptAndForOthers()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "500ms" });
        string kept = TraceBuilder.TraceId(1).ToString();
        string notKept = TraceBuilder.TraceId(2).ToString();
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        await sender.SendAsync(new TraceBuilder().Span(1, 1).Error().Span(1, 2, 1).Span(2, 1).Build());
        await node.WaitForStateAsync("sampled", kept);
        await node.WaitForStateAsync("not_sampled", notKept);

        using JsonDocument sampled = JsonDocument.Parse((await node.AskAsync($"/api/traces/{kept}")).Body);
        Assert.Equal("errors", sampled.RootElement.GetProperty("decided").GetProperty("policy").GetString());
        Assert.Equal(2, sampled.RootElement.GetProperty("decided").GetProperty("spans").GetInt32());
        Assert.Equal(["errors", "slow", "gold"], Policies(sampled));

        using JsonDocument other = JsonDocument.Parse((await node.AskAsync($"/api/traces/{notKept}")).Body);
        Assert.Equal(["errors", "slow", "gold"], Policies(other));
        Assert.All(
            other.RootElement.GetProperty("votes").EnumerateArray(),
            vote => Assert.Equal("not_sampled", vote.GetProperty("vote").GetString()));
    }

    [Fact]
    public async Task Admin_AboutAnUnknownTrace_Says404()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend));
        Assert.Null(await node.StateOfAsync(TraceBuilder.TraceId(99).ToString()));
    }

    private static IEnumerable<string> Policies(JsonDocument trace) =>
        trace.RootElement.GetProperty("votes").EnumerateArray().Select(vote => vote.GetProperty("policy").GetString()!);
}
