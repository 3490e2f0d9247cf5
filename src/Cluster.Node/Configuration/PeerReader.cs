using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>Reads <c>cluster.node</c>: what this node is to its peers.</summary>
internal static class PeerReader
{
    private const int DefaultPort = 4320;
    private const int LongestName = 128;
    private const double LeastCapacity = 0.001;
    private const double MostCapacity = 1000;
    private const string NameFix = "use 1 to 128 letters, digits, dots, hyphens and underscores";
    private const string AdvertiseFix = "write the host, or host:port, that the other nodes connect to, 10.0.0.7 for example";

    /// <summary>Reads it; the name of the cluster and its store are not there yet.</summary>
    public static ClusterOptions Read(
        ConfigurationSection cluster, ClusterOverrides given, LocalMachine machine, List<Listener> listeners, ConfigurationReading reading)
    {
        ConfigurationSection node = cluster.SectionOrEmpty("node");
        HostPort? advertise = ReadAdvertise(node, given);
        HostPort listen = ReadListen(node, given, advertise, listeners);
        HostPort reached = Reached(node, listen, advertise, machine);
        PeerTlsOptions? tls = TlsReader.ReadPeer(node, reading);
        IReadOnlyList<string> roles = ReadRoles(node);
        ClusterOptions options = new()
        {
            Name = "",
            Etcd = new EtcdStoreOptions { Endpoints = [] },
            NodeId = ReadId(node, given, machine),
            Listen = listen.ToString(),
            AdvertiseHost = reached.Host,
            AdvertisePort = reached.Port,
            Zone = ReadZone(node),
            IsGateway = roles.Contains("gateway"),
            HoldsShards = roles.Contains("shards"),
            Capacity = ReadCapacity(node),
            PeerTls = tls,
        };
        if (tls is null && !listen.IsLoopback)
        {
            node.Warning(
                "listen",
                $"whoever reaches {listen} can pose as a node, and spans cross the network in clear text",
                "set cluster.node.tls, or keep the port to a network of the nodes' own");
        }

        reading.Close(node);
        return options;
    }

    private static string ReadId(ConfigurationSection node, ClusterOverrides given, LocalMachine machine)
    {
        string? written = node.NonEmpty("id");
        string id = given.NodeId ?? written ?? machine.HostName;
        if (!IsName(id))
        {
            (string path, int line) = given.NodeId is null ? (node.PathOf("id"), node.LineOf("id")) : ("--node-id", 0);
            string what = given.NodeId is null && written is null ? $"this machine's name, '{id}'," : $"'{id}'";
            node.Errors.Error(path, line, what + " is not a name for a node", NameFix);
        }

        return id;
    }

    private static string ReadZone(ConfigurationSection node)
    {
        string zone = node.String("zone", "")!;
        if (zone.Length > 0 && !IsName(zone))
        {
            node.Error("zone", $"'{zone}' is not a name for a zone", NameFix);
        }

        return zone;
    }

    private static IReadOnlyList<string> ReadRoles(ConfigurationSection node)
    {
        if (node.Strings("roles") is not { } roles)
        {
            return ["gateway", "shards"];
        }

        foreach (string role in roles.Where(role => role is not ("gateway" or "shards")))
        {
            node.Error("roles", $"'{role}' is not a role", "use gateway, shards, or both");
        }

        if (roles.Count == 0)
        {
            node.Error("roles", "is empty: the node would do nothing", "use gateway, shards, or both");
            return ["gateway", "shards"];
        }

        return roles;
    }

    private static double ReadCapacity(ConfigurationSection node)
    {
        double capacity = node.Double("capacity", 1);
        if (capacity is >= LeastCapacity and <= MostCapacity)
        {
            return capacity;
        }

        node.Error(
            "capacity",
            $"{capacity} is out of range",
            $"use {LeastCapacity} to {MostCapacity}; a node of 2 takes twice the shards of one of 1");
        return 1;
    }

    /// <summary>Port 0 where none is written; null when nothing is, or it is wrong.</summary>
    private static HostPort? ReadAdvertise(ConfigurationSection node, ClusterOverrides given)
    {
        string? written = node.NonEmpty("advertise");
        if ((given.Advertise ?? written) is not { } text)
        {
            return null;
        }

        (string path, int line) = given.Advertise is null ? (node.PathOf("advertise"), node.LineOf("advertise")) : ("--advertise", 0);
        string problem = "";
        bool hostOnly = Uri.CheckHostName(text.Trim('[', ']')) != UriHostNameType.Unknown;
        HostPort address = new(text.Trim('[', ']'), 0);
        if (!hostOnly && HostPort.TryParse(text, out address, out problem) && address.Port == 0)
        {
            problem = $"'{text}' names no port to connect to";
        }
        else if (problem.Length == 0 && address.IsAny)
        {
            problem = $"'{text}' is no address that a peer can connect to";
        }

        if (problem.Length == 0)
        {
            return address;
        }

        node.Errors.Error(path, line, problem, AdvertiseFix);
        return null;
    }

    /// <summary>
    /// Where to listen. Nothing listens for others than this machine unless the configuration says so: by an address to listen on, or by an
    /// address that peers shall connect to.
    /// </summary>
    private static HostPort ReadListen(ConfigurationSection node, ClusterOverrides given, HostPort? advertise, List<Listener> listeners)
    {
        HostPort fallback = new("127.0.0.1", DefaultPort);
        string? written = node.NonEmpty("listen");
        string? text = given.Peer ?? written;
        (string path, int line) = given.Peer is null ? (node.PathOf("listen"), node.LineOf("listen")) : ("--peer", 0);
        HostPort listen = fallback;
        if (text is not null)
        {
            if (!HostPort.TryParse(text, out listen, out string problem))
            {
                node.Errors.Error(path, line, problem, "write an address to listen on as host:port, 0.0.0.0:4320 for example");
                return fallback;
            }

            if (listen.IsLoopback && advertise is { IsLoopback: false } other)
            {
                node.Errors.Error(
                    path,
                    line,
                    $"{listen} is reached from this machine only, while peers are told to connect to {other.Host}",
                    $"listen on 0.0.0.0:{listen.Port} or {other with { Port = listen.Port }}");
            }
        }
        else if (advertise is { } address)
        {
            if (!address.IsIp && !address.IsLoopback)
            {
                node.Error(
                    "listen",
                    $"is missing, and {address.Host} is a name, which does not say on which of its addresses to listen",
                    $"write 0.0.0.0:{DefaultPort}, or one address of this machine, here or with --peer");
                return fallback;
            }

            listen = new HostPort(address.Host, address.Port == 0 ? DefaultPort : address.Port);
        }

        listeners.Add(new Listener("peer", path, line, listen));
        return listen;
    }

    /// <summary>What peers connect to; port 0 for the one that is listened on.</summary>
    private static HostPort Reached(ConfigurationSection node, HostPort listen, HostPort? advertise, LocalMachine machine)
    {
        if (advertise is { } address)
        {
            return address with { Port = address.Port == 0 ? listen.Port : address.Port };
        }

        if (!listen.IsAny)
        {
            return listen;
        }

        if (machine.Address() is not { } own)
        {
            node.Error("advertise", "is missing, and this machine has no address but for itself", AdvertiseFix);
            return listen;
        }

        return new HostPort(own, listen.Port);
    }

    private static bool IsName(string text) =>
        text.Length is > 0 and <= LongestName && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
}
