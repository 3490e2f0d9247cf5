using Cluster.EndToEnd.Tests.Clients;
using Cluster.EndToEnd.Tests.Harness;
using OpenTelemetry.Exporter;

namespace Cluster.EndToEnd.Tests;

/// <summary>The OpenTelemetry JS SDK through every door: exactly the right traces arrive, whole, intact, once.</summary>
public sealed class JavaScriptClientTests
{
    [Theory]
    [InlineData("grpc", "none", Exporter.Grpc)]
    [InlineData("grpc", "gzip", Exporter.GrpcGzip)]
    [InlineData("http/protobuf", "none", Exporter.HttpProtobuf)]
    [InlineData("http/protobuf", "gzip", Exporter.Grpc)]
    [InlineData("http/json", "none", Exporter.HttpJson)]
    [InlineData("http/json", "gzip", Exporter.Grpc)]
    public async Task JavaScriptSdk_ThroughTheNode_KeepsExactlyTheRightTraces(string protocol, string compression, Exporter exporter)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter));
        ClientReport report = await JavaScriptClient.RunAsync(protocol == "grpc" ? node.Grpc : node.Http, protocol, compression);
        await ClientScenario.AssertSampledAsync(node, backend, report);
    }
}

/// <summary>The OpenTelemetry .NET SDK through both doors it knows.</summary>
public sealed class DotNetClientTests
{
    [Theory]
    [InlineData(OtlpExportProtocol.Grpc, Exporter.Grpc)]
    [InlineData(OtlpExportProtocol.HttpProtobuf, Exporter.HttpProtobuf)]
    public async Task DotNetSdk_ThroughTheNode_KeepsExactlyTheRightTraces(OtlpExportProtocol protocol, Exporter exporter)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend, exporter));
        ClientReport report = await DotNetClient.RunAsync(protocol == OtlpExportProtocol.Grpc ? node.Grpc : node.Http, protocol);
        await ClientScenario.AssertSampledAsync(node, backend, report);
    }
}

internal static class ClientScenario
{
    /// <summary>Waits for the decisions, ends the node, which leaves nothing undecided or unsent, and compares.</summary>
    public static async Task AssertSampledAsync(NodeProcess node, RecordingBackend backend, ClientReport report)
    {
        await backend.WaitForAsync([report.Sent], report.Kept);
        Assert.Equal(0, await node.StopAsync());
        Assert.Empty(backend.Problems);
        Delivery.AssertKept([report.Sent], report.Kept, backend.Received);
    }
}
