using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Node.Tests.Exporters;

public sealed class ExportPipelineTests
{
    private static readonly RetryOptions Soon = new()
    {
        InitialInterval = TimeSpan.FromMilliseconds(5),
        MaxInterval = TimeSpan.FromMilliseconds(50),
    };

    private readonly ManualTimeProvider _time = new();

    [Fact]
    public async Task Enqueue_SlowExporter_DoesNotHoldTheOthers()
    {
        ScriptedClient slow = new();
        ScriptedClient fast = new();
        await using ExportPipeline pipeline = new([Exporter("slow", slow), Exporter("fast", fast)], _time);
        KeptTraces[] kept = [Kept.Traces(1), Kept.Traces(2), Kept.Traces(3)];

        foreach (KeptTraces traces in kept)
        {
            pipeline.Enqueue(traces);
            Attempt attempt = await fast.NextAsync();
            attempt.Accept();
        }

        Attempt stuck = await slow.NextAsync();
        await Eventually.TrueAsync(() => pipeline.GetStatus()[1].SentTraces == 3, "the fast one has sent all");
        Assert.Equal(0, pipeline.GetStatus()[0].SentTraces);
        Assert.All(kept, traces => Assert.False(Kept.IsReturned(traces)));

        stuck.Accept();
        (await slow.NextAsync()).Accept();
        await Eventually.TrueAsync(() => kept.All(Kept.IsReturned), "all memory returned");
        Assert.All(kept, traces => Assert.Throws<ObjectDisposedException>(traces.Release));
    }

    [Fact]
    public async Task HasRoom_OneQueueFull_IsFalseUntilItHasSent()
    {
        ScriptedClient slow = new();
        ScriptedClient fast = new();
        KeptTraces kept = Kept.Traces(1);
        await using ExportPipeline pipeline = new([Exporter("slow", slow, kept.Bytes), Exporter("fast", fast)], _time);
        Assert.True(pipeline.HasRoom);

        pipeline.Enqueue(kept);
        (await fast.NextAsync()).Accept();
        Assert.False(pipeline.HasRoom);
        ExporterStatus status = pipeline.GetStatus()[0];
        Assert.Equal(status.QueueCapacityBytes, status.QueueBytes);

        (await slow.NextAsync()).Accept();
        await Eventually.TrueAsync(() => pipeline.HasRoom, "room again");
    }

    [Fact]
    public async Task Enqueue_NoExporters_ReturnsTheMemory()
    {
        await using ExportPipeline pipeline = ExporterFactory.Create([], _time, NullLoggerFactory.Instance, () => 0.5);
        KeptTraces kept = Kept.Traces(1);

        pipeline.Enqueue(kept);

        Assert.True(pipeline.HasRoom);
        Assert.True(Kept.IsReturned(kept));
        Assert.True((await pipeline.DrainAsync(TimeSpan.Zero)).Complete);
    }

    [Fact]
    public async Task DrainAsync_OneExporterStuck_ReportsThatOne()
    {
        ScriptedClient stuck = new();
        ScriptedClient fine = new();
        await using ExportPipeline pipeline = new([Exporter("stuck", stuck), Exporter("fine", fine)], _time);
        KeptTraces kept = Kept.Traces(1, 2);
        pipeline.Enqueue(kept);
        (await fine.NextAsync()).Accept();
        await Eventually.TrueAsync(() => pipeline.GetStatus()[1].SentTraces == 2, "the other one has sent");
        await stuck.NextAsync();

        Task<DrainReport> draining = pipeline.DrainAsync(TimeSpan.FromSeconds(10));
        _time.Advance(TimeSpan.FromSeconds(10));
        DrainReport report = await draining;

        Assert.False(report.Complete);
        Assert.Equal([new DrainLeft("stuck", 2, 4)], report.Exporters);
        Assert.True(Kept.IsReturned(kept));
    }

    [Fact]
    public async Task DrainAsync_AskedToEndAtOnce_ReportsWhatIsLeft()
    {
        ScriptedClient stuck = new();
        using CancellationTokenSource atOnce = new();
        await using ExportPipeline pipeline = new([Exporter("stuck", stuck)], _time);
        KeptTraces kept = Kept.Traces(1, 2);
        pipeline.Enqueue(kept);
        await stuck.NextAsync();

        Task<DrainReport> draining = pipeline.DrainAsync(TimeSpan.FromSeconds(10), atOnce.Token);
        Assert.False(draining.IsCompleted);
        await atOnce.CancelAsync();

        Assert.Equal([new DrainLeft("stuck", 2, 4)], (await draining).Exporters);
        Assert.True(Kept.IsReturned(kept));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Enqueue_BackEndDownThenUp_NothingIsLostOrRepeated(bool grpc)
    {
        BackEnd first = await StartAsync(grpc, 0);
        Uri address = first.Address;
        await using ExportPipeline pipeline = ExporterFactory.Create(
            [Options(grpc, address)], TimeProvider.System, NullLoggerFactory.Instance, () => 0.5);
        pipeline.Enqueue(Kept.Traces(1, 2, 3));
        await Eventually.TrueAsync(() => pipeline.GetStatus()[0].SentTraces == 3, "first traces sent");
        await first.DisposeAsync();

        for (ulong number = 4; number < 50; number++)
        {
            pipeline.Enqueue(Kept.Traces(number));
        }

        await Eventually.TrueAsync(() => pipeline.GetStatus()[0].Retries > 3, "attempts fail");
        Assert.NotEqual(ExporterState.Ok, pipeline.GetStatus()[0].State);
        await using BackEnd second = await StartAsync(grpc, address.Port);
        await Eventually.TrueAsync(() => pipeline.GetStatus()[0].SentTraces == 49, "all sent");

        Assert.Equal([1UL, 2UL, 3UL], first.Numbers);
        Assert.Equal(Enumerable.Range(4, 46).Select(number => (ulong)number), second.Numbers.Order());
        Assert.Equal(ExporterState.Ok, pipeline.GetStatus()[0].State);
        Assert.Equal(0, pipeline.GetStatus()[0].QueueBytes);
    }

    [Fact]
    public async Task Enqueue_BackEndThatOftenFails_GetsEverythingOnce()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        int calls = 0;
        backEnd.Answer = (context, request) =>
        {
            if (Interlocked.Increment(ref calls) % 3 != 0)
            {
                return BackEnd.GrpcErrorAsync(context, 14, "busy");
            }

            backEnd.Requests.Enqueue(request);
            return BackEnd.GrpcReplyAsync(context, []);
        };
        await using ExportPipeline pipeline = ExporterFactory.Create(
            [Options(grpc: true, backEnd.Address)], TimeProvider.System, NullLoggerFactory.Instance, () => 0.5);
        KeptTraces[] kept = [.. Enumerable.Range(1, 60).Select(number => Kept.Traces((ulong)number))];
        foreach (KeptTraces traces in kept)
        {
            pipeline.Enqueue(traces);
        }

        Assert.True((await pipeline.DrainAsync(Eventually.Limit)).Complete);

        Assert.Equal(Enumerable.Range(1, 60).Select(number => (ulong)number), backEnd.Numbers.Order());
        Assert.All(kept, traces => Assert.True(Kept.IsReturned(traces)));
    }

    [Fact]
    public async Task GetStatus_AllTypes_SayWhatTheyAre()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("actorsampling-file");
        string path = Path.Combine(directory.FullName, "kept.jsonl");
        await using (ExportPipeline pipeline = ExporterFactory.Create(
            [
                new OtlpGrpcExporterOptions { Id = "otlp/tempo", Endpoint = new Uri("http://user:secret@tempo:4317") },
                new OtlpHttpExporterOptions { Id = "otlphttp", TracesEndpoint = new Uri("https://tempo:4318/v1/traces?key=secret") },
                new DebugExporterOptions { Id = "debug" },
                new FileExporterOptions { Id = "file", Path = path },
            ],
            _time,
            NullLoggerFactory.Instance,
            () => 0.5,
            Stream.Null))
        {
            Assert.Equal(
                [
                    ("otlp/tempo", "otlp", "http://tempo:4317"),
                    ("otlphttp", "otlphttp", "https://tempo:4318/v1/traces"),
                    ("debug", "debug", "stdout"),
                    ("file", "file", path),
                ],
                pipeline.GetStatus().Select(status => (status.Id, status.Type, status.Endpoint)));
        }

        directory.Delete(recursive: true);
    }

    [Fact]
    public void Create_MissingCaFile_NamesTheExporter()
    {
        OtlpGrpcExporterOptions options = new()
        {
            Id = "otlp/tempo",
            Endpoint = new Uri("https://tempo:4317"),
            Tls = new TlsClientOptions { CaFile = "/nowhere/ca.pem" },
        };

        InvalidDataException exception = Assert.Throws<InvalidDataException>(
            () => ExporterFactory.Create([options], _time, NullLoggerFactory.Instance, () => 0.5));

        Assert.StartsWith("exporter 'otlp/tempo': ", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_CaFileWithoutCertificate_NamesTheExporterAndTheFile()
    {
        string file = Path.GetTempFileName();
        OtlpGrpcExporterOptions options = new()
        {
            Id = "otlp/tempo",
            Endpoint = new Uri("https://tempo:4317"),
            Tls = new TlsClientOptions { CaFile = file },
        };

        InvalidDataException exception = Assert.Throws<InvalidDataException>(
            () => ExporterFactory.Create([options], _time, NullLoggerFactory.Instance, () => 0.5));

        Assert.Equal($"exporter 'otlp/tempo': tls.ca_file {file}: it holds no certificate", exception.Message);
        File.Delete(file);
    }

    [Fact]
    public void Create_TwoExportersOfOneFile_NamesTheSecond()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        ExporterOptions[] options =
        [
            new FileExporterOptions { Id = "file/a", Path = path },
            new FileExporterOptions { Id = "file/b", Path = Path.Combine(Path.GetTempPath(), ".", Path.GetFileName(path)) },
        ];

        InvalidDataException exception = Assert.Throws<InvalidDataException>(
            () => ExporterFactory.Create(options, _time, NullLoggerFactory.Instance, () => 0.5));

        Assert.Equal($"exporter 'file/b': '{path}' is written by another exporter already", exception.Message);
        File.Delete(path);
    }

    private static Task<BackEnd> StartAsync(bool grpc, int port) =>
        grpc ? BackEnd.StartGrpcAsync(port) : BackEnd.StartHttpAsync(port);

    private static SendingExporterOptions Options(bool grpc, Uri address)
    {
        BatchOptions small = new() { MinBytes = 1, MaxBytes = 2000 };
        return grpc
            ? new OtlpGrpcExporterOptions { Id = "otlp", Endpoint = address, Retry = Soon, Batch = small }
            : new OtlpHttpExporterOptions { Id = "otlphttp", TracesEndpoint = new Uri(address, "/v1/traces"), Retry = Soon, Batch = small };
    }

    private SendingExporter Exporter(string id, ScriptedClient client, long capacity = 1 << 20)
    {
        SendingExporterParts parts = new()
        {
            Id = id,
            Type = "otlp",
            Endpoint = "",
            Client = client,
            Queue = new SendingQueueOptions { Bytes = capacity, Consumers = 1 },
            Batch = new BatchOptions { MinBytes = 1 },
            Retry = new RetryOptions(),
        };
        return new SendingExporter(parts, _time, () => 0.5, NullLogger.Instance);
    }
}
