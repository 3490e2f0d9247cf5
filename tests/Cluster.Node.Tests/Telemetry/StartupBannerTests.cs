using Cluster.Node.Telemetry;

namespace Cluster.Node.Tests.Telemetry;

public sealed class StartupBannerTests
{
    [Fact]
    public void Write_DefaultDoors_LinesAreExact()
    {
        Assert.Equal(
            """
            OTLP/gRPC  http://127.0.0.1:4317
            OTLP/HTTP  http://127.0.0.1:4318
            admin      http://127.0.0.1:8080

            To send traces here, set in the SDK's environment:
              OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
              OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc

            ready

            """,
            Write(Local("OTLP/gRPC", 4317), Local("OTLP/HTTP", 4318), Local("admin", 8080)));
    }

    [Fact]
    public void Write_OneDoorOnEveryInterface_SdkIsToldThisMachine()
    {
        Assert.Equal(
            """
            OTLP/gRPC  https://[::]:14317

            To send traces here, set in the SDK's environment:
              OTEL_EXPORTER_OTLP_ENDPOINT=https://[::1]:14317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc

            ready

            """,
            Write(new ListeningAddress("OTLP/gRPC", "https://[::]:14317", "https://[::1]:14317")));
    }

    [Fact]
    public void WriteCluster_ANode_LineIsExact()
    {
        using StringWriter output = new() { NewLine = "\r\n" };
        StartupBanner.WriteCluster(output, "checkout", "node-1", "10.0.0.7:4320");

        Assert.Equal("cluster    checkout, as node-1; peers connect to 10.0.0.7:4320\n", output.ToString());
    }

    private static ListeningAddress Local(string name, int port) => new(name, $"http://127.0.0.1:{port}", $"http://127.0.0.1:{port}");

    private static string Write(params ListeningAddress[] listening)
    {
        using StringWriter output = new() { NewLine = "\r\n" };
        StartupBanner.WriteAddresses(output, listening);
        StartupBanner.WriteReady(output);
        return output.ToString();
    }
}
