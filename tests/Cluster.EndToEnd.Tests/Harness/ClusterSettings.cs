using System.Net;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>What all nodes of a cluster have in common.</summary>
/// <param name="Node">Policies, waits, exporters.</param>
/// <param name="Store">Where etcd is.</param>
internal sealed record ClusterSettings(NodeSettings Node, Uri Store)
{
    /// <summary>Slices of the trace-ID space.</summary>
    public int Shards { get; init; } = 128;

    /// <summary><c>lease_ttl</c> in whole seconds.</summary>
    public int LeaseSeconds { get; init; } = 5;

    /// <summary>The configuration file of a node.</summary>
    public string ToYaml(NodePlace place, int peerPort) => Node.ToYaml() + $$"""
        cluster:
          name: test
          store:
            etcd:
              endpoints: ["{{Store.GetLeftPart(UriPartial.Authority)}}"]
          node:
            id: {{place.Id}}
            listen: {{place.Peers}}:{{peerPort}}
            advertise: {{place.Peers}}:{{peerPort}}
          shards: {{Shards}}
          lease_ttl: {{LeaseSeconds}}s

        """;
}

/// <summary>What is a node's own.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Doors">Where clients find it.</param>
/// <param name="Peers">Where other nodes find it.</param>
/// <param name="Launcher">The command that starts it somewhere else, or nothing.</param>
internal sealed record NodePlace(string Id, IPAddress Doors, IPAddress Peers, IReadOnlyList<string> Launcher)
{
    /// <summary>On this machine's loopback.</summary>
    public static NodePlace OnLoopback(string id) => new(id, IPAddress.Loopback, IPAddress.Loopback, []);
}
