namespace Cluster.Node.Configuration;

/// <summary>The <c>cluster</c> block: how this node is one of several.</summary>
public sealed record ClusterOptions
{
    /// <summary>Shards when nothing is said (<c>shards</c>).</summary>
    public const int DefaultShards = 128;

    /// <summary>Name of the cluster (<c>name</c>): one to 63 lower-case letters, digits and hyphens. Part of the keys in the store.</summary>
    public required string Name { get; init; }

    /// <summary>The store (<c>store.etcd</c>).</summary>
    public required EtcdStoreOptions Etcd { get; init; }

    /// <summary>Name of this node, unique in the cluster (<c>node.id</c>): 1 to 128 letters, digits, dots, hyphens and underscores.</summary>
    public required string NodeId { get; init; }

    /// <summary>Where to listen for peers, <c>host:port</c> (<c>node.listen</c>); port 0 takes a free one.</summary>
    public required string Listen { get; init; }

    /// <summary>Host that peers connect to (<c>node.advertise</c>), without brackets.</summary>
    public required string AdvertiseHost { get; init; }

    /// <summary>Port that peers connect to (<c>node.advertise</c>); 0 for the one that is listened on.</summary>
    public int AdvertisePort { get; init; }

    /// <summary>Failure domain (<c>node.zone</c>); empty when not set.</summary>
    public string Zone { get; init; } = "";

    /// <summary>Role <c>gateway</c>: the doors are open.</summary>
    public bool IsGateway { get; init; } = true;

    /// <summary>Role <c>shards</c>: shards may be allocated to this node.</summary>
    public bool HoldsShards { get; init; } = true;

    /// <summary>Share of the shards relative to other nodes (<c>node.capacity</c>), above 0.</summary>
    public double Capacity { get; init; } = 1;

    /// <summary>Mutual TLS between nodes (<c>node.tls</c>); null for clear text.</summary>
    public PeerTlsOptions? PeerTls { get; init; }

    /// <summary>Shards of the cluster, the same on every node (<c>shards</c>), 1 to 65,535.</summary>
    public int Shards { get; init; } = DefaultShards;

    /// <summary>Copies of each shard beside the primary's (<c>replicas</c>), 0 to 2.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Copies in sync, the primary's included, without which nothing is acknowledged (<c>min_in_sync</c>), 1 to replicas + 1.</summary>
    public int MinInSync { get; init; } = 1;

    /// <summary>After how long a silent node is taken for dead (<c>lease_ttl</c>): whole seconds, 2 or more.</summary>
    public TimeSpan LeaseTimeToLive { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After how long a copy that does not keep up is left behind (<c>replica_timeout</c>).</summary>
    public TimeSpan ReplicaTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>What peers connect to, <c>host:port</c>.</summary>
    /// <param name="boundPort">The port that is really listened on.</param>
    public string AdvertisedAddress(int boundPort) =>
        new HostPort(AdvertiseHost, AdvertisePort == 0 ? boundPort : AdvertisePort).ToString();
}

/// <summary>The <c>cluster.store.etcd</c> block. A class and not a record: nothing may print the password by accident.</summary>
public sealed class EtcdStoreOptions
{
    /// <summary>One or more, <c>http</c> or <c>https</c>, each with its port and nothing behind it.</summary>
    public required IReadOnlyList<Uri> Endpoints { get; init; }

    /// <summary>User; null when etcd asks for none. Null exactly when <see cref="Password"/> is.</summary>
    public string? Username { get; init; }

    /// <summary>The user's password.</summary>
    public string? Password { get; init; }

    /// <summary>PEM file of authorities to trust instead of the system's (<c>tls.ca_file</c>).</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file of the certificate to show (<c>tls.cert_file</c>). Null exactly when <see cref="KeyFile"/> is.</summary>
    public string? CertFile { get; init; }

    /// <summary>PEM file of its key (<c>tls.key_file</c>).</summary>
    public string? KeyFile { get; init; }
}

/// <summary>The <c>cluster.node.tls</c> block: each side of a link shows a certificate, and trusts those that one authority signed.</summary>
public sealed record PeerTlsOptions
{
    /// <summary>PEM file of this node's certificate chain, for both directions.</summary>
    public required string CertFile { get; init; }

    /// <summary>PEM file of its private key.</summary>
    public required string KeyFile { get; init; }

    /// <summary>PEM file of the authorities that sign the nodes' certificates, and nobody else's.</summary>
    public required string CaFile { get; init; }
}
