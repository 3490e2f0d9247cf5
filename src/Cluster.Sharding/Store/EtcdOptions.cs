namespace Cluster.Sharding.Store;

/// <summary>Where etcd is, and how it is asked. A class and not a record: nothing may print the password by accident.</summary>
public sealed class EtcdOptions
{
    /// <summary>Its members' client addresses, one or more: <c>http</c> or <c>https</c>, host and port. etcd 3.4 or later.</summary>
    public required IReadOnlyList<Uri> Endpoints { get; init; }

    /// <summary>The cluster's name. All keys begin with <c>/actorsampling/NAME/</c>.</summary>
    public required string Cluster { get; init; }

    /// <summary>The user, where etcd asks for one.</summary>
    public string? Username { get; init; }

    /// <summary>The user's password.</summary>
    public string? Password { get; init; }

    /// <summary>PEM file with the authorities that sign etcd's certificates; null for those of the system.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM file with the certificate to show to etcd, and those between it and its authority.</summary>
    public string? CertFile { get; init; }

    /// <summary>PEM file with the key of <see cref="CertFile"/>.</summary>
    public string? KeyFile { get; init; }

    /// <summary>
    /// How long one endpoint may take for one answer; above 0. Shorter than half of a lease's time, so that another one can be asked.
    /// </summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an endpoint that failed is asked only when no other answers; jitter of half of it both ways.</summary>
    public TimeSpan PutAside { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// A watch that is silent for this long is made anew where it was: so a connection that died silently, and an etcd that hangs, are noticed.
    /// </summary>
    public TimeSpan WatchRenewal { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Says what cannot be used.</summary>
    /// <exception cref="ArgumentException">No endpoint, one that is no address of a server, or no name of a cluster.</exception>
    internal void ThrowIfInvalid()
    {
        if (Endpoints.Count == 0)
        {
            throw new ArgumentException("there is no etcd endpoint");
        }

        foreach (Uri endpoint in Endpoints)
        {
            if (!endpoint.IsAbsoluteUri || (endpoint.Scheme != Uri.UriSchemeHttp && endpoint.Scheme != Uri.UriSchemeHttps))
            {
                throw new ArgumentException($"'{endpoint}' is no etcd endpoint: it must be like http://host:2379 or https://host:2379");
            }
        }

        if (Cluster.Length == 0 || Cluster.Contains('/', StringComparison.Ordinal))
        {
            throw new ArgumentException($"'{Cluster}' cannot be a cluster's name: it must not be empty or have a '/' in it");
        }
    }
}
