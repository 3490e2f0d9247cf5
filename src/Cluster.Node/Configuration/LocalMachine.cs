using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Cluster.Node.Configuration;

/// <summary>What a node's configuration takes from the machine that it is for.</summary>
/// <param name="HostName">Its name.</param>
/// <param name="Address">An address that other machines can reach it at; null when it has none.</param>
public sealed record LocalMachine(string HostName, Func<string?> Address)
{
    /// <summary>This machine.</summary>
    public static LocalMachine Current { get; } = new(Environment.MachineName, FindAddress) { FileExists = File.Exists };

    /// <summary>Whether a file that the configuration names is there; null does not look.</summary>
    public Func<string, bool>? FileExists { get; init; }

    /// <summary>An IPv4 address, before an IPv6 one, of an interface that has a gateway, before one that has none.</summary>
    private static string? FindAddress()
    {
        try
        {
            var addresses =
                from network in NetworkInterface.GetAllNetworkInterfaces()
                where network.OperationalStatus == OperationalStatus.Up && network.NetworkInterfaceType != NetworkInterfaceType.Loopback
                let properties = network.GetIPProperties()
                from unicast in properties.UnicastAddresses
                let address = unicast.Address
                where !address.IsIPv6LinkLocal && address.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6
                orderby properties.GatewayAddresses.Count > 0 descending, address.AddressFamily == AddressFamily.InterNetwork descending
                select address.ToString();
            return addresses.FirstOrDefault();
        }
        catch (Exception e) when (e is NetworkInformationException or PlatformNotSupportedException)
        {
            return null;
        }
    }
}
