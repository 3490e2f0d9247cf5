using System.Net;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests;

/// <summary>What is no OTLP is refused, and harms nothing else.</summary>
public sealed class RefusalTests
{
    private const int InvalidArgument = 3;

    [Fact]
    public async Task Export_MalformedOverGrpc_IsRefusedAndTheNextRequestOnThatConnectionTaken()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "500ms" });
        using OtlpSender sender = OtlpSender.Grpc(node.Grpc);
        ExportTraceServiceRequest good = new TraceBuilder().Span(1, 1).Error().Build();
        byte[] cut = new TraceBuilder().Span(2, 1).Error().ToBytes()[..^3];
        byte[] deepGroups = [.. Enumerable.Repeat((byte)0x0B, 500)];
        foreach (byte[] malformed in (byte[][])[cut, [0xFF, 0xFF, 0xFF], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], deepGroups])
        {
            OtlpAnswer answer = await sender.TrySendAsync(malformed);
            Assert.Equal(InvalidArgument, answer.GrpcStatus);
            Assert.Matches(@"\d", answer.Message);
        }

        await sender.SendAsync(good);
        await backend.WaitForAsync([good], [TraceBuilder.TraceId(1).ToString()]);
        Assert.Equal(0, await node.StopAsync());
        Assert.Single(backend.Received.SelectMany(Delivery.Of));
    }

    [Fact]
    public async Task Export_MalformedOverHttp_IsRefusedAndTheNextRequestOnThatConnectionTaken()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        await using NodeProcess node = await NodeProcess.StartAsync(new NodeSettings(backend) { DecisionWait = "500ms" });
        using OtlpSender sender = OtlpSender.Http(node.Http);
        ExportTraceServiceRequest good = new TraceBuilder().Span(1, 1).Error().Build();
        OtlpAnswer answer = await sender.TrySendAsync(good.ToByteArray()[..^1]);
        Assert.Equal(HttpStatusCode.BadRequest, answer.HttpStatus);
        await sender.SendAsync(good);
        await backend.WaitForAsync([good], [TraceBuilder.TraceId(1).ToString()]);
        Assert.Equal(0, await node.StopAsync());
        Assert.Single(backend.Received.SelectMany(Delivery.Of));
    }
}
