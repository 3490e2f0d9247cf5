using System.IO.Compression;
using System.Net;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Hosting;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Gateway.Routing;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cluster.Gateway.Tests.Receivers;

/// <summary>Both doors on a real Kestrel server on free loopback ports, with a fake behind them.</summary>
internal sealed class DoorHost : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly WebApplication _app;

    private DoorHost(WebApplication app, FakeConsumer consumer, ManualTimeProvider? time)
    {
        _app = app;
        Consumer = consumer;
        Time = time;
        Receiver = app.Services.GetRequiredService<OtlpReceiver>();
        Readiness = app.Services.GetRequiredService<Readiness>();
        InFlight = app.Services.GetRequiredService<InFlightBytes>();
    }

    public FakeConsumer Consumer { get; }

    public ManualTimeProvider? Time { get; }

    public OtlpReceiver Receiver { get; }

    public Readiness Readiness { get; }

    public InFlightBytes InFlight { get; }

    public GatewaySnapshot Totals => _app.Services.GetRequiredService<GatewayStatistics>().Snapshot();

    public DoorSnapshot Grpc => Snapshot(DoorKind.Grpc);

    public DoorSnapshot Http => Snapshot(DoorKind.Http);

    public static async Task<DoorHost> StartAsync(
        OtlpGrpcOptions? grpc = null, OtlpHttpOptions? http = null, GatewayLimits? limits = null, ManualTimeProvider? time = null)
    {
        FakeConsumer consumer = new();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseKestrelCore();
        if (time is not null)
        {
            builder.Services.AddSingleton<TimeProvider>(time);
        }

        builder.Services.AddSingleton<ITraceConsumer>(consumer);
        builder.Services.AddOtlpReceiver(
            new OtlpReceiverOptions
            {
                Grpc = (grpc ?? new OtlpGrpcOptions()) with { Endpoint = "127.0.0.1:0" },
                Http = (http ?? new OtlpHttpOptions()) with { Endpoint = "localhost:0" },
            },
            limits ?? new GatewayLimits());
        WebApplication app = builder.Build();
        app.Run(KestrelDoors.DispatchAsync);
        await app.StartAsync();
        return new DoorHost(app, consumer, time);
    }

    /// <summary>Waits for a count that follows the answer.</summary>
    public async Task UntilAsync(Func<DoorHost, bool> condition)
    {
        using CancellationTokenSource patience = new(Patience);
        while (!condition(this))
        {
            await Task.Delay(1, patience.Token);
        }
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private DoorSnapshot Snapshot(DoorKind door) => Totals.Doors[(int)door];
}

/// <summary>Takes what the doors hand on, and answers as a test says.</summary>
internal sealed class FakeConsumer : ITraceConsumer
{
    private readonly List<byte[]> _requests = [];

    public Refusal Admission { get; set; }

    public Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask<IntakeOutcome>> Answer { get; set; } =
        static (_, _) => ValueTask.FromResult(IntakeOutcome.Taken(1, 0));

    public IntakeOutcome Outcome
    {
        set => Answer = (_, _) => ValueTask.FromResult(value);
    }

    public byte[][] Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    /// <summary>Puts a router behind the doors.</summary>
    /// <returns>A request of 139 kB that it would have to write as a frame of 100 MB.</returns>
    public byte[] RouteAmplified()
    {
        Answer = new ShardRouter(new NoRegion(), 1, new TraceIdHasher(7)).ConsumeAsync;
        TraceBuilder builder = new TraceBuilder().Resource("r").ResourceAttribute("filler", new string('x', 100_000));
        for (ulong i = 1; i <= 1000; i++)
        {
            builder.Scope("s" + i).Span(trace: 1, i);
        }

        return builder.ToBytes();
    }

    public ValueTask<IntakeOutcome> ConsumeAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken)
    {
        lock (_requests)
        {
            _requests.Add(request.ToArray());
        }

        return Answer(request, cancellationToken);
    }

    private sealed class NoRegion : IShardRegion
    {
        public ShardAllocation Allocation { get; } = ShardAllocation.Alone(new MemberId("self", 1), 8);

        public Refusal Admission => Refusal.None;

        public ValueTask<Refusal> DeliverAsync(FrameBatch batch) =>
            throw new InvalidOperationException("nothing is to be delivered");
    }
}

/// <summary>Bytes for tests.</summary>
internal static class Bytes
{
    /// <summary>Bytes that do not shrink.</summary>
    public static byte[] Noise(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static byte[] Gzip(ReadOnlySpan<byte> bytes)
    {
        using MemoryStream output = new();
        using (GZipStream gzip = new(output, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(bytes);
        }

        return output.ToArray();
    }

    public static byte[] Zlib(ReadOnlySpan<byte> bytes)
    {
        using MemoryStream output = new();
        using (ZLibStream zlib = new(output, CompressionLevel.Fastest, leaveOpen: true))
        {
            zlib.Write(bytes);
        }

        return output.ToArray();
    }
}

/// <summary>Request bodies that come in pieces, when the test says so.</summary>
internal sealed class PiecewiseContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task SendAsync(params byte[] bytes)
    {
        Stream stream = await _stream.Task.WaitAsync(DoorHost.Patience);
        await stream.WriteAsync(bytes);
        await stream.FlushAsync();
    }

    public void End() => _end.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.FlushAsync(cancellationToken);
        _stream.TrySetResult(stream);
        await _end.Task.WaitAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
