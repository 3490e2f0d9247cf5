using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using Cluster.Testing.Otlp;
using Cluster.Testing.Rpc;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>
/// An OTLP back end over gRPC and HTTP that decodes with generated classes, remembers every request, and fails on demand. Thread-safe.
/// </summary>
internal sealed class RecordingBackend : IAsyncDisposable
{
    private readonly ConcurrentQueue<Arrival> _received = new();
    private readonly IPAddress _address;
    private readonly ConcurrentQueue<string> _problems = new();
    private WebApplication? _application;
    private int _attempts;
    private int _grpcPort;
    private int _httpPort;

    private RecordingBackend(IPAddress address) => _address = address;

    /// <summary>Where an <c>otlp</c> exporter sends to.</summary>
    public Uri GrpcEndpoint => new($"http://{_address}:{_grpcPort}");

    /// <summary>Where an <c>otlphttp</c> exporter sends to, without the path.</summary>
    public Uri HttpEndpoint => new($"http://{_address}:{_httpPort}");

    /// <summary>What it says to the next requests.</summary>
    public BackendAnswer Answer { get; set; }

    /// <summary>Requests that came, whatever the answer.</summary>
    public int Attempts => Volatile.Read(ref _attempts);

    /// <summary>Every request it said yes to.</summary>
    public IReadOnlyCollection<ExportTraceServiceRequest> Received => [.. _received.Select(arrival => arrival.Request)];

    /// <summary>The same, with the time of each.</summary>
    public IReadOnlyCollection<Arrival> Arrivals => _received.ToArray();

    /// <summary>Requests that were no OTLP; a test that does not mean to send such asserts that there are none.</summary>
    public IReadOnlyCollection<string> Problems => _problems.ToArray();

    /// <summary>A running back end on free ports of this address; on loopback when there is none.</summary>
    public static async Task<RecordingBackend> StartAsync(IPAddress? address = null)
    {
        RecordingBackend backend = new(address ?? IPAddress.Loopback);
        await backend.ListenAsync();
        return backend;
    }

    /// <summary>Spans received of this trace, repeated ones counted again.</summary>
    public int SpansOf(string traceId) => Received.SelectMany(Delivery.Of).Count(delivery => delivery.TraceId == traceId);

    /// <summary>
    /// Waits until every span of the traces <paramref name="kept"/> in <paramref name="sent"/> has arrived at least once. What else
    /// arrived is for <see cref="Delivery.AssertKept"/> to say.
    /// </summary>
    public async Task WaitForAsync(IEnumerable<ExportTraceServiceRequest> sent, IEnumerable<string> kept)
    {
        HashSet<string> keptIds = [.. kept];
        HashSet<string> expected = [.. sent.SelectMany(Delivery.Of)
            .Where(span => keptIds.Contains(span.TraceId))
            .Select(span => span.TraceId + span.SpanId)];
        HashSet<string> missing = expected;
        await Eventually.HoldsAsync(
            () =>
            {
                missing = [.. expected.Except(Received.SelectMany(Delivery.Of).Select(span => span.TraceId + span.SpanId))];
                return missing.Count == 0;
            },
            () => $"{expected.Count} spans arrived; {missing.Count} are missing, {string.Join(", ", missing.Take(5))}; "
                + $"problems: {string.Join('\n', Problems)}");
    }

    /// <summary>Stops listening and drops every connection.</summary>
    public async Task GoDownAsync()
    {
        if (_application is { } application)
        {
            _application = null;
            using CancellationTokenSource atOnce = new(TimeSpan.Zero);
            await application.StopAsync(atOnce.Token);
            await application.DisposeAsync();
        }
    }

    /// <summary>Listens again, on the same ports.</summary>
    public Task ComeUpAsync() => ListenAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await GoDownAsync();

    private async Task ListenAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(_address, _grpcPort, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.Listen(_address, _httpPort, listen => listen.Protocols = HttpProtocols.Http1);
        });
        WebApplication application = builder.Build();
        application.MapPost("/opentelemetry.proto.collector.trace.v1.TraceService/Export", ExportGrpcAsync);
        application.MapPost("/v1/traces", ExportHttpAsync);
        await application.StartAsync();
        int[] ports = [.. application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Select(address => new Uri(address).Port)];
        (_grpcPort, _httpPort) = (ports[0], ports[1]);
        _application = application;
    }

    private async Task ExportGrpcAsync(HttpContext context)
    {
        byte[] body = await ReadBodyAsync(context.Request);
        context.Response.ContentType = "application/grpc";
        BackendAnswer answer = await DecideAsync(context);
        string? encoding = context.Request.Headers["grpc-encoding"];
        if (answer.Kind == AnswerKind.Accept && !TryRecord(() => Decode(GrpcMessage(body, encoding), json: false)))
        {
            answer = BackendAnswer.Refuse;
        }

        switch (answer.Kind)
        {
            case AnswerKind.Accept:
                await context.Response.Body.WriteAsync(new byte[5]);
                context.Response.AppendTrailer("grpc-status", "0");
                break;
            case AnswerKind.Unavailable:
                context.Response.Headers["grpc-status"] = "14";
                context.Response.Headers["grpc-message"] = "come back later";
                byte[] details = StatusOf(14, answer.RetryAfter).ToByteArray();
                context.Response.Headers["grpc-status-details-bin"] = Convert.ToBase64String(details).TrimEnd('=');
                break;
            default:
                context.Response.Headers["grpc-status"] = "3";
                context.Response.Headers["grpc-message"] = "not like this";
                break;
        }
    }

    private async Task ExportHttpAsync(HttpContext context)
    {
        byte[] body = await ReadBodyAsync(context.Request);
        if (context.Request.Headers.ContentEncoding == "gzip")
        {
            body = Gunzip(body);
        }

        bool json = context.Request.ContentType?.StartsWith("application/json", StringComparison.Ordinal) == true;
        context.Response.ContentType = json ? "application/json" : "application/x-protobuf";
        BackendAnswer answer = await DecideAsync(context);
        if (answer.Kind == AnswerKind.Accept && !TryRecord(() => Decode(body, json)))
        {
            answer = BackendAnswer.Refuse;
        }

        switch (answer.Kind)
        {
            case AnswerKind.Accept:
                await context.Response.Body.WriteAsync(json ? "{}"u8.ToArray() : []);
                break;
            case AnswerKind.Unavailable:
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                context.Response.Headers.RetryAfter = ((int)Math.Ceiling(answer.RetryAfter.TotalSeconds)).ToString();
                break;
            default:
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                break;
        }
    }

    private async Task<BackendAnswer> DecideAsync(HttpContext context)
    {
        BackendAnswer answer = Answer;
        Interlocked.Increment(ref _attempts);
        if (answer.Kind == AnswerKind.Hang)
        {
            // Until the client gives up.
            TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await using (context.RequestAborted.Register(gone.SetResult))
            {
                await gone.Task;
            }
        }

        return answer;
    }

    private bool TryRecord(Func<ExportTraceServiceRequest> decode)
    {
        try
        {
            ExportTraceServiceRequest request = decode();
            _received.Enqueue(new Arrival(Stopwatch.GetTimestamp(), request));
            return true;
        }
#pragma warning disable CA1031 // Whatever is wrong with it, the test that sent it wants to know.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _problems.Enqueue(exception.ToString());
            return false;
        }
    }

    private static ExportTraceServiceRequest Decode(byte[] message, bool json) =>
        json ? OtlpJsonOracle.Read(message) : ExportTraceServiceRequest.Parser.ParseFrom(message);

    private static RpcStatus StatusOf(int code, TimeSpan retryAfter)
    {
        Delay delay = new() { Seconds = (long)retryAfter.TotalSeconds, Nanos = retryAfter.Milliseconds * 1_000_000 };
        RetryInfo retry = new() { RetryDelay = delay };
        return new RpcStatus
        {
            Code = code,
            Message = "come back later",
            Details = { new Detail { TypeUrl = "type.googleapis.com/google.rpc.RetryInfo", Value = retry.ToByteString() } },
        };
    }

    /// <summary>The one message of a unary call: compressed flag, four bytes of length, content.</summary>
    private static byte[] GrpcMessage(byte[] body, string? encoding)
    {
        int length = checked((int)BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(1)));
        Assert.Equal(body.Length, length + 5);
        Assert.True(body[0] == 0 || encoding == "gzip", $"message is compressed, grpc-encoding is {encoding}");
        return body[0] == 0 ? body[5..] : Gunzip(body[5..]);
    }

    private static byte[] Gunzip(byte[] compressed)
    {
        using GZipStream stream = new(new MemoryStream(compressed), CompressionMode.Decompress);
        using MemoryStream inflated = new();
        stream.CopyTo(inflated);
        return inflated.ToArray();
    }

    private static async Task<byte[]> ReadBodyAsync(HttpRequest request)
    {
        using MemoryStream body = new();
        await request.Body.CopyToAsync(body);
        return body.ToArray();
    }
}

/// <summary>A request that the back end said yes to.</summary>
/// <param name="At"><see cref="Stopwatch"/> time.</param>
/// <param name="Request">What was in it.</param>
internal readonly record struct Arrival(long At, ExportTraceServiceRequest Request);
