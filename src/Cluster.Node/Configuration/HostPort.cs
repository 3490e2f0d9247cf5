using System.Globalization;
using System.Net;

namespace Cluster.Node.Configuration;

/// <summary>An address as <c>host:port</c>, <c>[v6]:port</c> or <c>:port</c> (every interface).</summary>
/// <param name="Host">Name or IP address without brackets; empty for every interface.</param>
/// <param name="Port">0 to 65535; 0 takes a free one.</param>
internal readonly record struct HostPort(string Host, int Port)
{
    /// <summary>Parses it; <paramref name="problem"/> says what is wrong with the text, for a person.</summary>
    public static bool TryParse(string text, out HostPort value, out string problem)
    {
        value = default;
        problem = "";
        if (text.StartsWith("unix:", StringComparison.OrdinalIgnoreCase) || text.StartsWith('/'))
        {
            problem = $"'{text}' is a Unix socket, which is not supported";
        }
        else if (text.Contains("://", StringComparison.Ordinal))
        {
            problem = $"'{text}' has a scheme";
        }
        else if (text.Any(char.IsWhiteSpace))
        {
            problem = $"'{text}' has a blank in it";
        }

        int colon = text.LastIndexOf(':');
        if (problem.Length > 0 || !SplitHost(text, colon, out string host, ref problem))
        {
            return false;
        }

        string port = text[(colon + 1)..];
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number > 65535)
        {
            problem = $"'{port}' is not a port";
            return false;
        }

        value = new HostPort(host, number);
        return true;
    }

    /// <summary>True for an IP address, false for a name.</summary>
    public bool IsIp => Ip is not null;

    /// <summary>True for an address that stands for every interface of the machine.</summary>
    public bool IsAny => Host.Length == 0 || Ip is { } ip && (ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any));

    /// <summary>True for an address that only this machine can reach.</summary>
    public bool IsLoopback =>
        Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (Ip is { } ip && IPAddress.IsLoopback(ip));

    /// <summary>Whether two listeners with these addresses would get in each other's way.</summary>
    public bool Overlaps(HostPort other) =>
        Port != 0 && Port == other.Port
        && (IsAny || other.IsAny
            || Host.Equals(other.Host, StringComparison.OrdinalIgnoreCase)
            || (IsLoopback && other.IsLoopback && (Ip is null || other.Ip is null)));

    /// <summary>Whether a client of this machine that connects to <paramref name="target"/> reaches a listener at this address.</summary>
    public bool IsReachedBy(HostPort target) =>
        Port != 0 && Port == target.Port
        && (Host.Equals(target.Host, StringComparison.OrdinalIgnoreCase) || ((target.IsLoopback || target.IsAny) && (IsAny || IsLoopback)));

    /// <summary><c>host:port</c>, with brackets around an IPv6 address, and <c>0.0.0.0</c> for an empty host.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{(Host.Length == 0 ? "0.0.0.0" : Host.Contains(':', StringComparison.Ordinal) ? "[" + Host + "]" : Host)}:{Port}");

    private IPAddress? Ip => IPAddress.TryParse(Host, out IPAddress? ip) ? ip : null;

    private static bool SplitHost(string text, int colon, out string host, ref string problem)
    {
        host = "";
        if (text.StartsWith('['))
        {
            int bracket = text.IndexOf(']', StringComparison.Ordinal);
            if (bracket < 0 || bracket + 1 != colon)
            {
                problem = $"'{text}' has no port";
                return false;
            }

            host = text[1..bracket];
            bool isV6 = host.Contains(':', StringComparison.Ordinal) && IPAddress.TryParse(host, out _);
            problem = isV6 ? "" : $"'{host}' is not an IPv6 address";
            return problem.Length == 0;
        }

        if (colon < 0)
        {
            problem = $"'{text}' has no port";
            return false;
        }

        host = text[..colon];
        problem = host.Contains(':', StringComparison.Ordinal) ? $"'{text}' is an IPv6 address without brackets"
            : host.Length > 0 && Uri.CheckHostName(host) == UriHostNameType.Unknown ? $"'{host}' is neither a host name nor an IP address"
            : "";
        return problem.Length == 0;
    }
}
