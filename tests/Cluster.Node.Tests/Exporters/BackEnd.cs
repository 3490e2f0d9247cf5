using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Cluster.Node.Tests.Exporters;

/// <summary>A request that a back end got, read to its end.</summary>
internal sealed record ReceivedRequest(string Path, string Protocol, IHeaderDictionary Headers, byte[] Message, bool ClientCertificate);

/// <summary>A receiver in this process, on a real socket: records every request and answers what the test says.</summary>
internal sealed class BackEnd : IAsyncDisposable
{
    private readonly WebApplication _app;

    private BackEnd(WebApplication app) => _app = app;

    public ConcurrentQueue<ReceivedRequest> Requests { get; } = new();

    /// <summary>Answers a request after it was read; plain acceptance when null.</summary>
    public Func<HttpContext, ReceivedRequest, Task>? Answer { get; set; }

    /// <summary>Handles a request whose body has not been read.</summary>
    public Func<HttpContext, Task>? AnswerUnread { get; set; }

    public Uri Address { get; private set; } = null!;

    /// <summary>Trace numbers of all requests that were accepted.</summary>
    public ulong[] Numbers => [.. Requests.SelectMany(request => Kept.Numbers(request.Message))];

    public static Task<BackEnd> StartGrpcAsync(int port = 0, X509Certificate2? certificate = null) =>
        StartAsync(HttpProtocols.Http2, port, certificate);

    public static Task<BackEnd> StartHttpAsync(int port = 0, X509Certificate2? certificate = null) =>
        StartAsync(certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2, port, certificate);

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource now = new();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    /// <summary>A response that is only headers, as servers send errors.</summary>
    public static Task GrpcErrorAsync(HttpContext context, int status, string message, byte[]? details = null)
    {
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = $"{status}";
        context.Response.Headers["grpc-message"] = message;
        if (details is not null)
        {
            context.Response.Headers["grpc-status-details-bin"] = Convert.ToBase64String(details).TrimEnd('=');
        }

        return Task.CompletedTask;
    }

    public static async Task GrpcReplyAsync(HttpContext context, byte[] message, int status = 0, string text = "")
    {
        context.Response.ContentType = "application/grpc";
        byte[] frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        await context.Response.Body.WriteAsync(frame);
        context.Response.AppendTrailer("grpc-status", $"{status}");
        if (text.Length > 0)
        {
            context.Response.AppendTrailer("grpc-message", text);
        }
    }

    private static async Task<BackEnd> StartAsync(HttpProtocols protocols, int port, X509Certificate2? certificate)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = protocols;
            if (certificate is not null)
            {
                listen.UseHttps(https =>
                {
                    https.ServerCertificate = certificate;
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.AllowAnyClientCertificate();
                });
            }
        }));
        WebApplication app = builder.Build();
        BackEnd backEnd = new(app);
        app.Run(backEnd.HandleAsync);
        await app.StartAsync();
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        backEnd.Address = new Uri(address);
        return backEnd;
    }

    private async Task HandleAsync(HttpContext context)
    {
        if (AnswerUnread is { } answerUnread)
        {
            await answerUnread(context);
            return;
        }

        bool grpc = context.Request.ContentType == "application/grpc";
        ReceivedRequest request = await ReadAsync(context, grpc);
        if (Answer is { } answer)
        {
            await answer(context, request);
            return;
        }

        Requests.Enqueue(request);
        if (grpc)
        {
            await GrpcReplyAsync(context, []);
        }
    }

    private static async Task<ReceivedRequest> ReadAsync(HttpContext context, bool grpc)
    {
        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body);
        byte[] bytes = body.ToArray();
        bool compressed = context.Request.Headers.ContentEncoding == "gzip";
        if (grpc)
        {
            Assert.Equal(bytes.Length - 5, BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(1)));
            compressed = bytes[0] == 1;
            bytes = bytes[5..];
        }

        if (compressed)
        {
            using MemoryStream plain = new();
            using GZipStream gzip = new(new MemoryStream(bytes), CompressionMode.Decompress);
            await gzip.CopyToAsync(plain);
            bytes = plain.ToArray();
        }

        HeaderDictionary headers = new();
        foreach (var header in context.Request.Headers)
        {
            headers[header.Key] = header.Value;
        }

        return new ReceivedRequest(
            context.Request.Path, context.Request.Protocol, headers, bytes, context.Connection.ClientCertificate is not null);
    }
}
