using Cluster.EndToEnd.Tests.Clients;
using Cluster.EndToEnd.Tests.Harness;
using OpenTelemetry.Exporter;

namespace Cluster.EndToEnd.Tests;

/// <summary>Clients and recording back end without a node between: what the other tests stand on.</summary>
public sealed class DirectClientTests
{
    [Theory]
    [InlineData("grpc", "none")]
    [InlineData("grpc", "gzip")]
    [InlineData("http/protobuf", "none")]
    [InlineData("http/protobuf", "gzip")]
    [InlineData("http/json", "none")]
    [InlineData("http/json", "gzip")]
    public async Task JavaScriptClient_ToBackend_ArrivesAsSent(string protocol, string compression)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        ClientReport report = await JavaScriptClient.RunAsync(
            protocol == "grpc" ? backend.GrpcEndpoint : backend.HttpEndpoint, protocol, compression);
        Assert.Empty(backend.Problems);
        Assert.Equal(16, report.All.Count());
        Assert.Equal(80, Delivery.Of(report.Sent).Count());
        Delivery.AssertKept([report.Sent], report.All, backend.Received);
    }

    [Theory]
    [InlineData(OtlpExportProtocol.Grpc)]
    [InlineData(OtlpExportProtocol.HttpProtobuf)]
    public async Task DotNetClient_ToBackend_ArrivesAsSent(OtlpExportProtocol protocol)
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        ClientReport report = await DotNetClient.RunAsync(
            protocol == OtlpExportProtocol.Grpc ? backend.GrpcEndpoint : backend.HttpEndpoint, protocol);
        Assert.Empty(backend.Problems);
        Assert.Equal(80, Delivery.Of(report.Sent).Count());
        Delivery.AssertKept([report.Sent], report.All, backend.Received);
    }
}
