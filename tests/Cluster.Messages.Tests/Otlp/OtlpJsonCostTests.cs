using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Testing;
using Cluster.Testing.Otlp;

namespace Cluster.Messages.Tests.Otlp;

public sealed class OtlpJsonCostTests
{
    [Fact]
    public void TryReadRequest_ManySpans_AllocatesNothing()
    {
        byte[] json = RandomOtlpJson.Write(Workload(256), seed: 7);
        using PooledBuffer output = new(json.Length);
        Read(json, output);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Read(json, output);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Read(byte[] json, PooledBuffer output)
    {
        output.Clear();
        Assert.True(OtlpJson.TryReadRequest(json, output, out _));
    }

    private static ExportTraceServiceRequest Workload(int spans)
    {
        TraceBuilder builder = new TraceBuilder().Resource("checkout");
        for (int i = 0; i < 7; i++)
        {
            builder.ResourceAttribute($"k8s.attribute.{i}", $"value-of-{i}");
        }

        for (int i = 0; i < spans; i++)
        {
            builder.Span((ulong)(i / 3 + 1), (ulong)i + 1, parent: (ulong)i, name: "POST /api/checkout", startMs: i, durationMs: 12.5)
                .With("http.request.method", "POST").With("url.path", "/api/checkout/items").With("http.response.status_code", 200)
                .With("server.address", "checkout.shop.svc").With("server.port", 8080).With("network.protocol.version", "1.1")
                .With("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)").With("thread.id", 42)
                .With("sampled", true).With("ratio", 0.25)
                .Flags(0x101);
        }

        return builder.Build();
    }
}
