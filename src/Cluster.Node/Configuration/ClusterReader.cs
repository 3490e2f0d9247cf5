using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>Reads <c>cluster</c>, and what the command line says in its place.</summary>
internal static class ClusterReader
{
    private const int MostShards = 65_535;
    private const int MostReplicas = 2;
    private const int LongestName = 63;
    private const string EndpointFix = "write it as http://10.0.0.5:2379 or https://10.0.0.5:2379";
    private const string StoreFix = "write it as etcd://10.0.0.5:2379, further endpoints after commas, or etcds:// for TLS";

    /// <summary>Reads it; null when there is no such block and no <c>--cluster</c>, or nothing can be made of it.</summary>
    public static ClusterOptions? Read(
        ConfigurationSection root, ClusterOverrides given, LocalMachine machine, List<Listener> listeners, ConfigurationReading reading)
    {
        if (root.Section("cluster") is null && given.Store is null)
        {
            RejectWithoutCluster(root, given);
            return null;
        }

        ConfigurationSection cluster = root.SectionOrEmpty("cluster");
        string name = ReadName(cluster, given);
        EtcdStoreOptions etcd = ReadStore(cluster, given, reading);
        int replicas = (int)cluster.Int64("replicas", 1, 0, MostReplicas);
        TimeSpan lease = ReadLease(cluster);
        ClusterOptions options = PeerReader.Read(cluster, given, machine, listeners, reading) with
        {
            Name = name,
            Etcd = etcd,
            Shards = (int)cluster.Int64("shards", ClusterOptions.DefaultShards, 1, MostShards),
            Replicas = replicas,
            MinInSync = ReadMinInSync(cluster, replicas),
            LeaseTimeToLive = lease,
            ReplicaTimeout = ReadReplicaTimeout(cluster, lease),
        };
        reading.Close(cluster);
        return options;
    }

    /// <summary>The rest of the command line means something only in a cluster.</summary>
    private static void RejectWithoutCluster(ConfigurationSection root, ClusterOverrides given)
    {
        (string Option, string? Value)[] options =
            [("--name", given.Name), ("--advertise", given.Advertise), ("--node-id", given.NodeId), ("--peer", given.Peer)];
        foreach ((string option, string? value) in options)
        {
            if (value is not null)
            {
                root.Errors.Error(
                    option, 0, "means nothing without a cluster", "add --cluster etcd://HOST:PORT, or a 'cluster' block to the file");
            }
        }
    }

    private static string ReadName(ConfigurationSection cluster, ClusterOverrides given)
    {
        const string Fix = "use 1 to 63 lower-case letters, digits and hyphens";
        string? written = cluster.String("name");
        string? name = given.Name ?? written;
        (string path, int line) = given.Name is null ? (cluster.PathOf("name"), cluster.LineOf("name")) : ("--name", 0);
        if (name is null)
        {
            if (!cluster.HasValue("name"))
            {
                cluster.Error("name", "is missing", "name the cluster, the same on all its nodes, here or with --name");
            }

            return "";
        }

        if (name.Length is 0 or > LongestName || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
        {
            cluster.Errors.Error(path, line, $"'{name}' is not a name for a cluster", Fix);
        }

        return name;
    }

    private static EtcdStoreOptions ReadStore(ConfigurationSection cluster, ClusterOverrides given, ConfigurationReading reading)
    {
        ConfigurationSection? store = cluster.Section("store");
        if (store is null && given.Store is not null)
        {
            return new EtcdStoreOptions { Endpoints = ParseStore(given.Store, cluster.Errors) };
        }

        store ??= cluster.SectionOrEmpty("store");
        ConfigurationSection? etcd = store.Section("etcd");
        if (etcd is null && !store.HasValue("etcd"))
        {
            store.Error("etcd", "is missing", "name the endpoints of an etcd under it, or use --cluster etcd://HOST:PORT");
        }

        reading.Close(store);
        return etcd is null ? new EtcdStoreOptions { Endpoints = [] } : ReadEtcd(etcd, given, reading);
    }

    private static EtcdStoreOptions ReadEtcd(ConfigurationSection etcd, ClusterOverrides given, ConfigurationReading reading)
    {
        IReadOnlyList<Uri> written = ReadEndpoints(etcd, required: given.Store is null);
        (string? caFile, string? certFile, string? keyFile) = TlsReader.ReadStore(etcd, reading);
        EtcdStoreOptions options = new()
        {
            Endpoints = given.Store is null ? written : ParseStore(given.Store, etcd.Errors),
            Username = etcd.NonEmpty("username"),
            Password = etcd.NonEmpty("password"),
            CaFile = caFile,
            CertFile = certFile,
            KeyFile = keyFile,
        };
        if (options.Username is null != options.Password is null)
        {
            (string missing, string there) = options.Username is null ? ("username", "password") : ("password", "username");
            etcd.Error(missing, $"is missing, while {there} is there", "etcd wants both or neither");
        }

        bool clear = options.Endpoints.Any(endpoint => endpoint.Scheme == "http");
        if (clear && options.Password is not null)
        {
            etcd.Warning("password", "crosses the network in clear text", "use https:// endpoints");
        }

        if (clear && etcd.HasValue("tls"))
        {
            etcd.Warning("tls", "has no effect on http:// endpoints", "use https:// endpoints");
        }

        reading.Close(etcd);
        return options;
    }

    private static List<Uri> ReadEndpoints(ConfigurationSection etcd, bool required)
    {
        IReadOnlyList<string> texts = etcd.Strings("endpoints") ?? [];
        if (required && texts.Count == 0 && !(etcd.HasValue("endpoints") && !etcd.IsList("endpoints")))
        {
            etcd.Error("endpoints", etcd.Has("endpoints") ? "names no endpoint" : "is missing", EndpointFix);
        }

        List<Uri> endpoints = [];
        for (int i = 0; i < texts.Count; i++)
        {
            string path = $"endpoints[{i}]";
            if (!Uri.TryCreate(texts[i], UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
            {
                bool noScheme = HostPort.TryParse(texts[i], out _, out _);
                Report(path, noScheme ? $"'{texts[i]}' has no scheme" : $"'{texts[i]}' is not a URL of etcd",
                    noScheme ? $"write http://{texts[i]} or https://{texts[i]}" : EndpointFix);
            }
            else if (url.UserInfo.Length > 0)
            {
                // Not quoted: it may be a password.
                Report(path, "has a user in it", "use username and password, beside endpoints");
            }
            else if (url.PathAndQuery != "/" || url.Fragment.Length > 0)
            {
                Report(path, $"'{texts[i]}' is more than an address", "leave out what is behind host:port");
            }
            else if (!texts[i].TrimEnd('/').EndsWith($":{url.Port}", StringComparison.Ordinal))
            {
                // Uri's default, 80 or 443, is never meant.
                Report(path, $"'{texts[i]}' has no port", $"write {texts[i].TrimEnd('/')}:2379");
            }
            else if (endpoints.Contains(url))
            {
                Report(path, $"'{texts[i]}' is there twice", "keep one");
            }
            else
            {
                endpoints.Add(url);
            }
        }

        return endpoints;

        void Report(string key, string problem, string fix) =>
            etcd.Errors.Error(etcd.PathOf(key), etcd.LineOf("endpoints"), problem, fix);
    }

    private static List<Uri> ParseStore(string text, ConfigurationErrors errors)
    {
        int colon = text.IndexOf("://", StringComparison.Ordinal);
        string scheme = colon < 0 ? "" : text[..colon];
        if (scheme is not ("etcd" or "etcds"))
        {
            errors.Error("--cluster", 0, $"'{text}' is not the address of a store", StoreFix);
            return [];
        }

        if (text.Contains('@', StringComparison.Ordinal))
        {
            errors.Error("--cluster", 0, "has a user in it", "write username and password into the file, under cluster.store.etcd");
            return [];
        }

        List<Uri> endpoints = [];
        foreach (string part in text[(colon + 3)..].TrimEnd('/').Split(','))
        {
            if (!HostPort.TryParse(part, out HostPort address, out string problem) || address.Port == 0 || address.Host.Length == 0)
            {
                errors.Error("--cluster", 0, problem.Length > 0 ? problem : $"'{part}' names no host or port to connect to", StoreFix);
                continue;
            }

            endpoints.Add(new Uri($"{(scheme == "etcds" ? "https" : "http")}://{address}"));
        }

        return endpoints;
    }

    private static int ReadMinInSync(ConfigurationSection cluster, int replicas)
    {
        int minimum = (int)cluster.Int64("min_in_sync", 1, 1, MostReplicas + 1);
        if (minimum > replicas + 1)
        {
            cluster.Error(
                "min_in_sync",
                $"{minimum} copies can never be in sync with replicas: {replicas}, which makes {replicas + 1} with the primary's",
                replicas == 0 ? "use 1, or more replicas" : $"use 1 to {replicas + 1}, or more replicas");
        }

        return minimum;
    }

    private static TimeSpan ReadLease(ConfigurationSection cluster)
    {
        TimeSpan lease = cluster.Duration("lease_ttl", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(2));
        if (lease.Ticks % TimeSpan.TicksPerSecond != 0)
        {
            cluster.Error(
                "lease_ttl", $"{GoDuration.Format(lease)} has a fraction of a second", "etcd counts leases in whole seconds: use 2s, 3s, ...");
        }

        return lease;
    }

    private static TimeSpan ReadReplicaTimeout(ConfigurationSection cluster, TimeSpan lease)
    {
        TimeSpan timeout = cluster.Duration("replica_timeout", TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(100));
        if (timeout > lease)
        {
            cluster.Warning(
                "replica_timeout",
                $"{GoDuration.Format(timeout)} is longer than lease_ttl ({GoDuration.Format(lease)}): a dead replica's lease ends first",
                "use a shorter time");
        }

        return timeout;
    }
}
