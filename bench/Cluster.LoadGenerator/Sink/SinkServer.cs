using System.Buffers;
using System.IO.Compression;
using System.IO.Pipelines;
using System.Net;
using Cluster.Messages.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Cluster.LoadGenerator.Sink;

/// <summary>
/// A recording back end: takes OTLP/gRPC and OTLP/HTTP (protobuf), plain or gzip, and keeps a ledger of what arrived.
/// On the control port, <c>GET /stats</c> says what that was and <c>POST /reset</c> forgets it.
/// </summary>
internal sealed class SinkServer : IAsyncDisposable
{
    private const string GrpcPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    private const int GrpcPrefix = 5;

    private static readonly byte[] s_emptyGrpcMessage = new byte[GrpcPrefix];

    private readonly WebApplication _application;

    private SinkServer(WebApplication application, TraceLedger ledger)
    {
        _application = application;
        Ledger = ledger;
        Ports = [.. application.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>()
            .Addresses.Select(address => new Uri(address).Port)];
    }

    /// <summary>Ports listened on: gRPC, HTTP, control.</summary>
    public IReadOnlyList<int> Ports { get; }

    /// <summary>What arrived.</summary>
    public TraceLedger Ledger { get; }

    /// <summary>Starts listening on loopback; port 0 takes a free one.</summary>
    public static async Task<SinkServer> StartAsync(int grpcPort, int httpPort, int controlPort)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, LargeBlockPoolFactory>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 16 << 20;
            kestrel.Limits.Http2.InitialStreamWindowSize = 4 << 20;
            kestrel.Listen(IPAddress.Loopback, grpcPort, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPAddress.Loopback, httpPort, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, controlPort, listen => listen.Protocols = HttpProtocols.Http1);
        });

        var ledger = new TraceLedger();
        WebApplication application = builder.Build();
        application.Run(context => HandleAsync(context, ledger));
        await application.StartAsync();
        return new SinkServer(application, ledger);
    }

    /// <summary>Completes when the process is asked to end.</summary>
    public Task WaitAsync() => _application.WaitForShutdownAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _application.DisposeAsync();

    private static Task HandleAsync(HttpContext context, TraceLedger ledger) => (context.Request.Method, context.Request.Path.Value) switch
    {
        ("POST", GrpcPath) => TakeGrpcAsync(context, ledger),
        ("POST", "/v1/traces") => TakeHttpAsync(context, ledger),
        ("GET", "/stats") => WriteStatsAsync(context, ledger),
        ("POST", "/reset") => ResetAsync(ledger),
        _ => NotFoundAsync(context),
    };

    private static async Task TakeGrpcAsync(HttpContext context, TraceLedger ledger)
    {
        bool isFine;
        using (PooledBuffer body = await ReadAsync(context.Request.BodyReader))
        {
            // One message whose length the prefix says; byte 0 says whether it is compressed.
            isFine = body.Length >= GrpcPrefix && Take(body.WrittenMemory[GrpcPrefix..], body.WrittenSpan[0] == 1, ledger);
        }

        context.Response.ContentType = "application/grpc";
        await context.Response.BodyWriter.WriteAsync(s_emptyGrpcMessage);
        context.Response.AppendTrailer("grpc-status", isFine ? "0" : "3");
    }

    private static async Task TakeHttpAsync(HttpContext context, TraceLedger ledger)
    {
        using PooledBuffer body = await ReadAsync(context.Request.BodyReader);
        bool isFine = Take(body.WrittenMemory, context.Request.Headers.ContentEncoding == "gzip", ledger);
        context.Response.StatusCode = isFine ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest;
        context.Response.ContentType = "application/x-protobuf";
        context.Response.ContentLength = 0;
    }

    private static bool Take(ReadOnlyMemory<byte> message, bool isCompressed, TraceLedger ledger)
    {
        if (!isCompressed)
        {
            return SpanWalker.Walk(message.Span, ledger);
        }

        using var plain = new PooledBuffer(message.Length * 8);
        using var gzip = new GZipStream(new ReadOnlyMemoryStream(message), CompressionMode.Decompress);
        int read;
        while ((read = gzip.Read(plain.GetSpan(64 * 1024))) > 0)
        {
            plain.Advance(read);
        }

        return SpanWalker.Walk(plain.WrittenSpan, ledger);
    }

    private static async Task<PooledBuffer> ReadAsync(PipeReader reader)
    {
        var body = new PooledBuffer(256 * 1024);
        while (true)
        {
            ReadResult result = await reader.ReadAsync();
            foreach (ReadOnlyMemory<byte> segment in result.Buffer)
            {
                body.Write(segment.Span);
            }

            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return body;
            }
        }
    }

    private static Task WriteStatsAsync(HttpContext context, TraceLedger ledger)
    {
        LedgerTotals totals;
        lock (ledger.Gate)
        {
            totals = ledger.Totals();
        }

        return context.Response.WriteAsJsonAsync(new SinkStatistics(totals, Environment.CpuUsage.TotalTime.TotalSeconds));
    }

    private static Task ResetAsync(TraceLedger ledger)
    {
        lock (ledger.Gate)
        {
            ledger.Clear();
        }

        return Task.CompletedTask;
    }

    private static Task NotFoundAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }
}

/// <summary>What the control port answers.</summary>
/// <param name="Totals">What arrived since the last reset.</param>
/// <param name="CpuSeconds">User and system time of the sink's process.</param>
internal sealed record SinkStatistics(LedgerTotals Totals, double CpuSeconds);
