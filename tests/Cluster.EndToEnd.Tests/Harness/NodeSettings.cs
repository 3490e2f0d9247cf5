namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>How the node sends on.</summary>
public enum Exporter
{
    /// <summary><c>otlp</c>, plain.</summary>
    Grpc,

    /// <summary><c>otlp</c>, gzip.</summary>
    GrpcGzip,

    /// <summary><c>otlphttp</c>, protobuf, gzip.</summary>
    HttpProtobuf,

    /// <summary><c>otlphttp</c>, JSON, plain.</summary>
    HttpJson,
}

/// <summary>A configuration file: every port free, errors and slow traces and those of gold customers kept.</summary>
/// <param name="Backend">Where the node sends to.</param>
/// <param name="Exporter">How.</param>
internal sealed record NodeSettings(RecordingBackend Backend, Exporter Exporter = Exporter.Grpc)
{
    /// <summary>A <see cref="DecisionWait"/> that no test lives to see: only shutdown decides.</summary>
    public const string Never = "1h";

    /// <summary><c>decision_wait</c>. Long enough for all of a client's exports, on a busy machine too.</summary>
    public string DecisionWait { get; init; } = "5s";

    /// <summary>A second back end, over gRPC.</summary>
    public RecordingBackend? SecondBackend { get; init; }

    /// <summary>Size of the exporter's queue.</summary>
    public int QueueBytes { get; init; } = 64 << 20;

    /// <summary>One attempt of the exporter.</summary>
    public string ExportTimeout { get; init; } = "5s";

    public string ToYaml() => $$"""
        receivers:
          otlp:
            protocols:
              grpc:
                endpoint: 127.0.0.1:0
              http:
                endpoint: 127.0.0.1:0
        processors:
          tail_sampling:
            decision_wait: {{DecisionWait}}
            decision_cache:
              sampled_cache_size: 10000
              non_sampled_cache_size: 10000
            policies:
              - name: errors
                type: status_code
                status_code:
                  status_codes: [ERROR]
              - name: slow
                type: latency
                latency:
                  threshold_ms: 1000
              - name: gold
                type: string_attribute
                string_attribute:
                  key: customer.tier
                  values: [gold]
        exporters:
          {{ExporterBlock}}
            timeout: {{ExportTimeout}}
            retry_on_failure:
              initial_interval: 50ms
              max_interval: 500ms
            sending_queue:
              sizer: bytes
              queue_size: {{QueueBytes}}
          otlp/second:
            endpoint: {{(SecondBackend ?? Backend).GrpcEndpoint.Authority}}
            tls:
              insecure: true
        service:
          pipelines:
            traces:
              receivers: [otlp]
              processors: [tail_sampling]
              exporters: [{{ExporterIds}}]
        admin:
          endpoint: 127.0.0.1:0

        """;

    private string ExporterIds =>
        (Exporter is Exporter.Grpc or Exporter.GrpcGzip ? "otlp" : "otlphttp") + (SecondBackend is null ? "" : ", otlp/second");

    private string ExporterBlock => Exporter switch
    {
        Exporter.Grpc or Exporter.GrpcGzip => $$"""
            otlp:
                endpoint: {{Backend.GrpcEndpoint.Authority}}
                compression: {{(Exporter == Exporter.GrpcGzip ? "gzip" : "none")}}
                tls:
                  insecure: true
            """,
        _ => $$"""
            otlphttp:
                endpoint: {{Backend.HttpEndpoint.GetLeftPart(UriPartial.Authority)}}
                compression: {{(Exporter == Exporter.HttpJson ? "none" : "gzip")}}
                encoding: {{(Exporter == Exporter.HttpJson ? "json" : "proto")}}
            """,
    };
}
