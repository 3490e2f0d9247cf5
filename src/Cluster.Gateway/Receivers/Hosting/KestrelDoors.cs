using System.Net;
using Cluster.Gateway.Receivers.Otlp;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Cluster.Gateway.Receivers.Hosting;

/// <summary>How doors stand on one Kestrel server: limits of the server, addresses, and which request belongs to which door.</summary>
public static class KestrelDoors
{
    // What a connection may have sent that nobody has read yet. The stream window is what one request may have on its way.
    private const int ConnectionWindow = 4 << 20;
    private const int StreamWindow = 1 << 20;

    private const int MaxHeaderBytes = 16 << 10;

    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Sets the limits of a server that has doors. They hold for each connection; how many there may be is a matter of the doors.
    /// </summary>
    /// <param name="server">The server.</param>
    /// <param name="maxConcurrentStreams">Concurrent calls on one HTTP/2 connection.</param>
    public static void ConfigureLimits(KestrelServerOptions server, int maxConcurrentStreams)
    {
        server.AddServerHeader = false;
        server.Limits.RequestHeadersTimeout = HeadersTimeout;
        server.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;

        // Bodies have limits of their own, in bytes and in time; a slow body under back-pressure is not the client's fault.
        server.Limits.MaxRequestBodySize = null;
        server.Limits.MinRequestBodyDataRate = null;

        Http2Limits http2 = server.Limits.Http2;
        http2.MaxStreamsPerConnection = maxConcurrentStreams;
        http2.InitialConnectionWindowSize = ConnectionWindow;
        http2.InitialStreamWindowSize = StreamWindow;
        http2.MaxRequestHeaderFieldSize = MaxHeaderBytes;
        http2.KeepAlivePingDelay = PingDelay;
        http2.KeepAlivePingTimeout = PingTimeout;
    }

    /// <summary>Opens a door on a server that has not started.</summary>
    /// <param name="server">The server.</param>
    /// <param name="door">The door.</param>
    /// <param name="maxConnections">Connections that it may have at once, for itself; one more is closed.</param>
    /// <exception cref="FormatException">The door's endpoint is not an address and a port.</exception>
    /// <exception cref="IOException">Its host name is not known, or a PEM file of its TLS cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A PEM file holds no certificate or key.</exception>
    public static void Listen(KestrelServerOptions server, Door door, int maxConnections) =>
        Listen(server, door, new ConnectionLimit(maxConnections));

    /// <summary>The same, with a limit that several doors may share.</summary>
    internal static void Listen(KestrelServerOptions server, Door door, ConnectionLimit limit)
    {
        HttpsConnectionAdapterOptions? https = door.Tls is { } tls ? TlsCertificates.Load(tls) : null;
        foreach (IPEndPoint address in door.Resolve())
        {
            server.Listen(address, listen =>
            {
                listen.Protocols = door.Protocols;
                listen.Use(limit.Apply);
                if (https is not null)
                {
                    listen.UseHttps(https);
                }

                listen.Use(next => connection =>
                {
                    connection.Features.Set(door);
                    return next(connection);
                });
                door.Opened(listen);
            });
        }
    }

    /// <summary>The whole pipeline of such a server: hands each request to the door that its connection came through.</summary>
    public static Task DispatchAsync(HttpContext context)
    {
        if (context.Features.Get<Door>() is { } door)
        {
            return door.Handler(context);
        }

        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }
}
