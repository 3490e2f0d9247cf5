using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Configuration;
using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

public sealed class NodeConfigurationReaderTests
{
    [Fact]
    public void Read_Default_IsTheQuickstart()
    {
        NodeConfiguration configuration = TestFiles.ReadGood(ConfigurationSource.Default().Yaml);

        Assert.Equal("127.0.0.1:4317", configuration.Receiver.Grpc!.Endpoint);
        Assert.Equal("127.0.0.1:4318", configuration.Receiver.Http!.Endpoint);
        Assert.Equal("127.0.0.1:8080", configuration.Admin.Endpoint);
        Assert.Equal("debug", Assert.IsType<DebugExporterOptions>(Assert.Single(configuration.Exporters)).Id);
        Assert.Equal(TimeSpan.FromSeconds(5), configuration.Sharding.DecisionWait);
        Assert.Equal(["errors", "slower than 500 ms", "10 % of the rest"], configuration.Policies.Policies.Select(p => p.Name));
        TestFiles.Read(ConfigurationSource.Default().Yaml, out ConfigurationErrors errors);
        Assert.Empty(errors.All);
    }

    [Fact]
    public void Read_AddressesFromTheCommandLine_TakeTheirPlace()
    {
        CommandLineOverrides listen = new("127.0.0.1:0", ":5318", "[::1]:9090");
        string yaml = TestFiles.Minimal(receiver: "{ protocols: { grpc: { endpoint: '0.0.0.0:1' } } }", rest: "admin: { enabled: false }");

        NodeConfiguration configuration = TestFiles.ReadGood(yaml, listen);

        Assert.Equal("127.0.0.1:0", configuration.Receiver.Grpc!.Endpoint);
        Assert.Equal("0.0.0.0:5318", configuration.Receiver.Http!.Endpoint);
        Assert.Equal("[::1]:9090", configuration.Admin.Endpoint);
    }

    [Fact]
    public void Read_WrongAddressesFromTheCommandLine_NameTheOption()
    {
        TestFiles.Read(
            TestFiles.Minimal(), out ConfigurationErrors errors, new CommandLineOverrides("4317", "127.0.0.1:8080", "127.0.0.1:8080"));

        Assert.Equal(
            ["--otlp-grpc: '4317' has no port; write an address to listen on as host:port, 0.0.0.0:4317 for example",
             "--admin: admin would listen on 127.0.0.1:8080, which OTLP/HTTP takes already (127.0.0.1:8080); give each a port of its own"],
            errors.All.Select(e => $"{e.Path}: {e.Problem}; {e.Fix}"));
    }

    [Fact]
    public void Read_AdminSwitchedOff_HasNoEndpoint()
    {
        Assert.Null(TestFiles.ReadGood(TestFiles.Minimal(rest: "admin: { enabled: false }")).Admin.Endpoint);
    }

    [Fact]
    public void Read_Waits_KeepFractionsOfASecond()
    {
        NodeConfiguration configuration = TestFiles.ReadGood(
            TestFiles.Minimal(
                tailSampling: "decision_wait: 1250ms\n    decision_wait_after_root_received: 0.4s",
                rest: "completion: { settle: 90ms }"));

        Assert.Equal(TimeSpan.FromMilliseconds(1250), configuration.Sharding.DecisionWait);
        Assert.Equal(TimeSpan.FromMilliseconds(400), configuration.Sharding.DecisionWaitAfterRootReceived);
        Assert.Equal(TimeSpan.FromMilliseconds(90), configuration.Sharding.Settle);
    }

    [Theory]
    [InlineData("", 4L << 30, 5L << 30)]
    [InlineData("limits: { memory_soft: 1GiB }", 1L << 30, (1L << 30) + (256L << 20))]
    [InlineData("limits: { memory_hard: 1000MiB }", 800L << 20, 1000L << 20)]
    [InlineData("limits: { memory_soft: 1GiB, memory_hard: 1GiB }", 1L << 30, 1L << 30)]
    public void Read_MemoryLimits_ComeFromTheFileOrTheMemoryThereIs(string rest, long soft, long hard)
    {
        NodeConfiguration configuration = TestFiles.ReadGood(TestFiles.Minimal(rest: rest));

        Assert.Equal(soft, configuration.Sharding.MemorySoftBytes);
        Assert.Equal(hard, configuration.Sharding.MemoryHardBytes);
    }

    [Theory]
    [InlineData("endpoint: tempo:4317", "https://tempo:4317/")]
    [InlineData("endpoint: 'tempo:4317', tls: { insecure: true }", "http://tempo:4317/")]
    [InlineData("endpoint: 'http://tempo:4317', tls: { insecure: true }", "http://tempo:4317/")]
    [InlineData("endpoint: 'http://tempo:4317'", "https://tempo:4317/")]
    [InlineData("endpoint: 'https://tempo:443/', tls: { insecure: true }", "https://tempo/")]
    [InlineData("endpoint: 'dns:///tempo:4317', tls: { insecure: true }", "http://tempo:4317/")]
    [InlineData("endpoint: '[2001:db8::1]:4317', tls: { insecure: true }", "http://[2001:db8::1]:4317/")]
    public void Read_GrpcEndpoint_IsReadAsTheCollectorDoes(string keys, string expected)
    {
        OtlpGrpcExporterOptions exporter = Exporter<OtlpGrpcExporterOptions>("otlp", keys);

        Assert.Equal(new Uri(expected), exporter.Endpoint);
    }

    [Theory]
    [InlineData("endpoint: 'http://tempo:4318'", "http://tempo:4318/v1/traces")]
    [InlineData("endpoint: 'https://example.com/otlp/'", "https://example.com/otlp/v1/traces")]
    [InlineData("traces_endpoint: 'https://example.com/custom'", "https://example.com/custom")]
    [InlineData("endpoint: 'http://a:1', traces_endpoint: 'http://b:2/x'", "http://b:2/x")]
    public void Read_HttpEndpoint_IsReadAsTheCollectorDoes(string keys, string expected)
    {
        OtlpHttpExporterOptions exporter = Exporter<OtlpHttpExporterOptions>("otlphttp", keys);

        Assert.Equal(new Uri(expected), exporter.TracesEndpoint);
        Assert.Equal(TimeSpan.FromSeconds(30), exporter.Timeout);
        Assert.False(exporter.Json);
    }

    [Fact]
    public void Read_Exporter_HasTheCollectorsDefaultsButNeverGivesUp()
    {
        OtlpGrpcExporterOptions exporter = Exporter<OtlpGrpcExporterOptions>("otlp/2", "endpoint: a:1");

        Assert.Equal("otlp/2", exporter.Id);
        Assert.True(exporter.Gzip);
        Assert.Equal(TimeSpan.FromSeconds(5), exporter.Timeout);
        Assert.Equal(new RetryOptions(), exporter.Retry);
        Assert.Equal(TimeSpan.Zero, exporter.Retry.MaxElapsedTime);
        Assert.Equal(new SendingQueueOptions(), exporter.Queue);
        Assert.Equal(new BatchOptions(), exporter.Batch);
    }

    [Theory]
    [InlineData("queue_size: 100", 100L * 256 * 1024)]
    [InlineData("queue_size: 100, sizer: items", 100L * 512)]
    [InlineData("queue_size: 100, sizer: bytes", 100L)]
    [InlineData("queue_size: 64MiB, sizer: bytes", 64L << 20)]
    [InlineData("enabled: false", 256L << 20)]
    public void Read_QueueSize_IsInBytes(string keys, long expected)
    {
        OtlpGrpcExporterOptions exporter = Exporter<OtlpGrpcExporterOptions>("otlp", $"endpoint: a:1, sending_queue: {{ {keys} }}");

        Assert.Equal(expected, exporter.Queue.Bytes);
    }

    [Theory]
    [InlineData("min_size: 1000, max_size: 2000, sizer: bytes, flush_timeout: 1s", 1000, 2000, 1000)]
    [InlineData("min_size: 64KiB, max_size: 1MiB, sizer: bytes", 64 << 10, 1 << 20, 200)]
    [InlineData("min_size: 1000, max_size: 2000", 512_000, 1_024_000, 200)]
    [InlineData("min_size: 8192", 2 << 20, 2 << 20, 200)]
    [InlineData("flush_timeout: 50ms", 512 << 10, 2 << 20, 50)]
    [InlineData("min_size: 0, sizer: bytes", 1, 2 << 20, 200)]
    public void Read_QueueBatch_IsInBytes(string keys, int minimum, int maximum, int milliseconds)
    {
        OtlpGrpcExporterOptions exporter = Exporter<OtlpGrpcExporterOptions>(
            "otlp", $"endpoint: a:1, sending_queue: {{ batch: {{ {keys} }} }}");

        Assert.Equal(
            new BatchOptions { MinBytes = minimum, MaxBytes = maximum, Timeout = TimeSpan.FromMilliseconds(milliseconds) }, exporter.Batch);
    }

    [Theory]
    [InlineData("batch:", 2 << 20, 2 << 20, 200)]
    [InlineData("batch: { timeout: 1s, send_batch_size: 1024, send_batch_max_size: 2048 }", 512 << 10, 1 << 20, 1000)]
    [InlineData("batch: { timeout: 0s, send_batch_size: 1024 }", 1, 2 << 20, 0)]
    public void Read_BatchProcessor_GoesToExportersWithoutABatchOfTheirOwn(string processor, int minimum, int maximum, int milliseconds)
    {
        NodeConfiguration configuration = TestFiles.ReadGood($$"""
            receivers: { otlp: { protocols: { grpc: } } }
            processors:
              tail_sampling: { policies: [{ name: all, type: always_sample }] }
              {{processor}}
            exporters:
              otlp/one: { endpoint: "a:1" }
              otlp/two: { endpoint: "b:1", sending_queue: { batch: { min_size: 1, max_size: 2, sizer: bytes } } }
            service: { pipelines: { traces: { receivers: [otlp], processors: [tail_sampling, batch], exporters: [otlp/two, otlp/one] } } }
            """);

        Assert.Equal(["otlp/two", "otlp/one"], configuration.Exporters.Select(e => e.Id));
        Assert.Equal(new BatchOptions { MinBytes = 1, MaxBytes = 2 }, ((OtlpGrpcExporterOptions)configuration.Exporters[0]).Batch);
        Assert.Equal(
            new BatchOptions { MinBytes = minimum, MaxBytes = maximum, Timeout = TimeSpan.FromMilliseconds(milliseconds) },
            ((OtlpGrpcExporterOptions)configuration.Exporters[1]).Batch);
    }

    [Theory]
    [InlineData("headers: { api-key: '${env:DIGITS}', X-Tenant: \"12\", empty: }")]
    [InlineData("headers: [ { name: api-key, value: '${env:DIGITS}' }, { name: X-Tenant, value: '12' }, { name: empty } ]")]
    public void Read_Headers_AreAMappingOrAList(string headers)
    {
        OtlpGrpcExporterOptions exporter = Exporter<OtlpGrpcExporterOptions>("otlp", "endpoint: a:1, " + headers);

        Assert.Equal(
            new Dictionary<string, string> { ["api-key"] = "0123456789", ["X-Tenant"] = "12", ["empty"] = "" }, exporter.Headers);
    }

    [Fact]
    public void Read_FileExporter_ReadsRotation()
    {
        FileExporterOptions rotating = Exporter<FileExporterOptions>("file", "path: /tmp/x, append: true, rotation: { max_backups: 3 }");
        FileExporterOptions plain = Exporter<FileExporterOptions>("file", "path: /tmp/x");

        Assert.Equal((100L << 20, 3, true), (rotating.RotateBytes, rotating.MaxBackups, rotating.Append));
        Assert.Equal((0L, 100, false), (plain.RotateBytes, plain.MaxBackups, plain.Append));
    }

    [Fact]
    public void Read_Receiver_ReadsEveryKey()
    {
        NodeConfiguration configuration = TestFiles.ReadGood(TestFiles.Minimal(receiver: """
            { protocols: { grpc: { endpoint: "[::]:4317", max_recv_msg_size_mib: 16, max_concurrent_streams: 7,
                tls: { cert_file: a, key_file: b, client_ca_file: c } },
                http: { traces_url_path: custom, max_request_body_size: 1048576, tls: ,
                  cors: { allowed_origins: ["*"], allowed_headers: [x], max_age: 60 } } } }
            """.ReplaceLineEndings(" ")));

        OtlpGrpcOptions grpc = configuration.Receiver.Grpc!;
        OtlpHttpOptions http = configuration.Receiver.Http!;
        Assert.Equal(("[::]:4317", 16 << 20, 7), (grpc.Endpoint, grpc.MaxMessageBytes, grpc.MaxConcurrentStreams));
        Assert.Equal(("a", "b", "c"), (grpc.Tls!.CertFile, grpc.Tls.KeyFile, grpc.Tls.ClientCaFile));
        Assert.Equal(("localhost:4318", "/custom", 1 << 20), (http.Endpoint, http.TracesPath, http.MaxBodyBytes));
        Assert.Null(http.Tls);
        Assert.Equal(60, http.Cors!.MaxAgeSeconds);
    }

    [Fact]
    public void Read_NothingButAnEmptyFile_NamesWhatIsMissing()
    {
        Assert.Null(TestFiles.Read("", out ConfigurationErrors errors));
        Assert.Equal("service", Assert.Single(errors.All).Path);
    }

    [Fact]
    public void Read_MoreQueuesThanMemory_Warns()
    {
        TestFiles.Read(
            TestFiles.Minimal().Replace(
                "debug: {}",
                "debug: {}\n  otlp: { endpoint: 'a:1', sending_queue: { sizer: bytes, queue_size: 5GiB } }",
                StringComparison.Ordinal)
                .Replace("exporters: [debug]", "exporters: [otlp]", StringComparison.Ordinal),
            out ConfigurationErrors errors);

        Assert.Contains(
            errors.All,
            e => e.Problem == "the sending queues may hold 5120 MiB, more than half of the memory there is (8192 MiB)");
    }

    private static T Exporter<T>(string id, string keys)
        where T : ExporterOptions =>
        Assert.IsType<T>(Assert.Single(TestFiles.ReadGood($$"""
            receivers: { otlp: { protocols: { grpc: } } }
            processors: { tail_sampling: { policies: [{ name: all, type: always_sample }] } }
            exporters: { {{id}}: { {{keys}} } }
            service: { pipelines: { traces: { receivers: [otlp], processors: [tail_sampling], exporters: [{{id}}] } } }
            """).Exporters));
}
