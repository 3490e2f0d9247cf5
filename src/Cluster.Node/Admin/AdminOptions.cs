namespace Cluster.Node.Admin;

/// <summary>The <c>admin</c> block.</summary>
public sealed record AdminOptions
{
    /// <summary>Address and port of the admin endpoint; port 0 takes a free one. Null when switched off (<c>enabled: false</c>).</summary>
    public string? Endpoint { get; init; } = "127.0.0.1:8080";
}
