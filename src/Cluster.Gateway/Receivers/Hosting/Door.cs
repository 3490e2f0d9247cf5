using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Cluster.Gateway.Receivers.Otlp;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Gateway.Receivers.Hosting;

/// <summary>
/// One address that the process listens on, and who answers there. Several doors share one Kestrel server; every connection
/// remembers which door it came through (<see cref="KestrelDoors.DispatchAsync"/>).
/// </summary>
public sealed class Door
{
    private readonly List<ListenOptions> _listening = [];

    /// <summary>A door that is not open yet: <see cref="KestrelDoors.Listen(KestrelServerOptions, Door, int)"/> does that.</summary>
    /// <param name="name">For people: <c>OTLP/gRPC</c>.</param>
    /// <param name="endpoint">
    /// Address and port: <c>localhost:4317</c>, <c>0.0.0.0:4317</c>, <c>[::]:4317</c>, or <c>:4317</c> for all addresses.
    /// </param>
    /// <param name="protocols">HTTP versions. Without TLS, HTTP/1.1 and HTTP/2 exclude each other.</param>
    /// <param name="tls">TLS; null for cleartext.</param>
    /// <param name="handler">Answers the door's requests.</param>
    public Door(string name, string endpoint, HttpProtocols protocols, TlsServerOptions? tls, RequestDelegate handler)
    {
        Name = name;
        Endpoint = endpoint;
        Protocols = protocols;
        Tls = tls;
        Handler = handler;
    }

    /// <summary>For people.</summary>
    public string Name { get; }

    /// <summary>Address and port, as configured.</summary>
    public string Endpoint { get; }

    /// <summary>HTTP versions.</summary>
    public HttpProtocols Protocols { get; }

    /// <summary>TLS; null for cleartext.</summary>
    public TlsServerOptions? Tls { get; }

    /// <summary>Answers the door's requests.</summary>
    public RequestDelegate Handler { get; }

    /// <summary>Addresses it listens on, with real ports once the server has started.</summary>
    public IReadOnlyList<IPEndPoint> BoundAddresses => [.. _listening.Select(options => options.IPEndPoint!)];

    /// <summary><c>http://0.0.0.0:4317</c>: what it listens on, with the real port, once the server has started.</summary>
    public string ListeningUrl => $"{Scheme}://{BoundAddresses[0]}";

    /// <summary><c>http://127.0.0.1:4317</c>: where to reach it from this machine, once the server has started.</summary>
    public Uri Url
    {
        get
        {
            IPEndPoint bound = BoundAddresses[0];
            IPAddress address = bound.Address.Equals(IPAddress.Any) ? IPAddress.Loopback
                : bound.Address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback
                : bound.Address;
            return new Uri($"{Scheme}://{new IPEndPoint(address, bound.Port)}");
        }
    }

    private string Scheme => Tls is null ? "http" : "https";

    /// <summary>The addresses that <see cref="Endpoint"/> names.</summary>
    /// <exception cref="FormatException">It is not an address and a port.</exception>
    /// <exception cref="IOException">Its host name is not known.</exception>
    public IReadOnlyList<IPEndPoint> Resolve()
    {
        int colon = Endpoint.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(Endpoint.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            throw new FormatException($"'{Endpoint}' is not an address and a port, like localhost:4317");
        }

        string host = Endpoint[..colon];
        if (host.Length == 0)
        {
            return [new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port)];
        }

        if (IPAddress.TryParse(host.AsSpan().Trim("[]"), out IPAddress? address))
        {
            return [new IPEndPoint(address, port)];
        }

        if (string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase))
        {
            // Two free ports would not be the same one: with port 0, IPv4 only.
            return port != 0 && Socket.OSSupportsIPv6
                ? [new IPEndPoint(IPAddress.Loopback, port), new IPEndPoint(IPAddress.IPv6Loopback, port)]
                : [new IPEndPoint(IPAddress.Loopback, port)];
        }

        try
        {
            return [new IPEndPoint(Dns.GetHostAddresses(host)[0], port)];
        }
        catch (SocketException exception)
        {
            throw new IOException($"'{Endpoint}': {exception.Message}", exception);
        }
    }

    internal void Opened(ListenOptions options) => _listening.Add(options);
}
