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
            Write(new("OTLP/gRPC", "http://127.0.0.1:4317"), new("OTLP/HTTP", "http://127.0.0.1:4318"), new("admin", "http://127.0.0.1:8080")));
    }

    [Fact]
    public void Write_OneDoorOnEveryInterface_SdkIsToldThisMachine()
    {
        Assert.Equal(
            """
            OTLP/gRPC  https://[::]:14317

            To send traces here, set in the SDK's environment:
              OTEL_EXPORTER_OTLP_ENDPOINT=https://localhost:14317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc

            ready

            """,
            Write(new ListeningAddress("OTLP/gRPC", "https://[::]:14317")));
        Assert.Contains("=http://localhost:4318 ", Write(new ListeningAddress("OTLP/HTTP", "http://0.0.0.0:4318")), StringComparison.Ordinal);
    }

    private static string Write(params ListeningAddress[] listening)
    {
        using StringWriter output = new() { NewLine = "\r\n" };
        StartupBanner.WriteAddresses(output, listening);
        StartupBanner.WriteReady(output);
        return output.ToString();
    }
}
