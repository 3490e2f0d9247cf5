using System.Globalization;
using System.Net;

namespace Cluster.Node.Admin;

/// <summary>A <c>host:port</c> as configured: what to bind.</summary>
/// <param name="Address">The IP address.</param>
/// <param name="Port">0 takes a free one.</param>
/// <param name="BothLoopbacks">Both loopback addresses, of IPv4 and IPv6: <c>localhost</c> with a fixed port.</param>
internal sealed record ListenAddress(IPAddress Address, int Port, bool BothLoopbacks = false)
{
    /// <summary>Only this machine can reach it.</summary>
    public bool IsLoopback => IPAddress.IsLoopback(Address);

    /// <summary>Reads <c>127.0.0.1:8080</c>, <c>[::1]:8080</c>, <c>localhost:8080</c> or <c>:8080</c> (every interface).</summary>
    /// <exception cref="FormatException">It is none of these; the message says what would be.</exception>
    public static ListenAddress Parse(string endpoint)
    {
        int colon = endpoint.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(endpoint.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            throw Wrong(endpoint);
        }

        string host = endpoint[..colon];
        if (host.Length == 0)
        {
            return new ListenAddress(IPAddress.IPv6Any, port);
        }

        if (host == "localhost")
        {
            // One free port for two addresses cannot be had.
            return new ListenAddress(IPAddress.Loopback, port, BothLoopbacks: port != 0);
        }

        bool bracketed = host[0] == '[' && host[^1] == ']';
        string literal = bracketed ? host[1..^1] : host;
        return IPAddress.TryParse(literal, out IPAddress? address) && bracketed == literal.Contains(':', StringComparison.Ordinal)
            ? new ListenAddress(address, port)
            : throw Wrong(endpoint);
    }

    private static FormatException Wrong(string endpoint) => new(
        $"admin.endpoint '{endpoint}' is no address to listen on; write 127.0.0.1:8080, [::1]:8080, localhost:8080 or, for every interface, 0.0.0.0:8080");
}
