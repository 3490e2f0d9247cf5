using Cluster.Messages.Sharding;
using Cluster.Node.Configuration;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;
using Cluster.Sharding.Transport;

namespace Cluster.Node.Hosting;

/// <summary>A node's joining of its cluster, and its leaving. Used by one task at a time.</summary>
/// <param name="runtime">The node among others.</param>
/// <param name="region">Its shards.</param>
/// <param name="links">Its connections.</param>
/// <param name="questions">What people ask through other nodes.</param>
/// <param name="makeControl">Makes the control, which begins to join.</param>
/// <param name="sources">How it is configured.</param>
/// <param name="state">What the node knows of itself.</param>
internal sealed class ClusterLife(
    ClusterRuntime runtime,
    ShardRegion region,
    PeerLinks links,
    Sharding.Transport.PeerQuestions questions,
    Func<Member, ClusterControl> makeControl,
    ClusterSources sources,
    NodeState state) : IAsyncDisposable
{
    private ClusterControl? _control;

    /// <summary>Joins; completes when this node may take spans.</summary>
    /// <returns>Why this node cannot be in this cluster; null when it is.</returns>
    public async Task<string?> JoinAsync(MemberId self, IReadOnlyList<ListeningAddress> listening, CancellationToken cancellationToken)
    {
        runtime.Bind(region, links, questions);
        ClusterOptions options = sources.Options;
        string address = options.AdvertisedAddress(links.EndPoint.Port);
        StartupBanner.WriteCluster(Console.Out, options.Name, self.Node, address);
        _control = makeControl(new Member(
            self,
            address,
            options.Zone,
            options.HoldsShards,
            options.Capacity,
            Leaving: false,
            AddressOf(listening, "OTLP/gRPC") is { Length: > 0 } grpc ? grpc : AddressOf(listening, "OTLP/HTTP"),
            AddressOf(listening, "admin"),
            state.Version));
        runtime.Follow(_control);
        Task ended = await Task.WhenAny(runtime.Joined, runtime.Rejected).WaitAsync(cancellationToken);
        return ended == runtime.Rejected ? await runtime.Rejected : null;
    }

    /// <summary>Has all shards moved away.</summary>
    public Task DrainAsync(CancellationToken cancellationToken) => runtime.DrainAsync(cancellationToken);

    /// <summary>Leaves.</summary>
    public Task LeaveAsync(CancellationToken cancellationToken) => runtime.LeaveAsync(cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_control is { } control)
        {
            await control.DisposeAsync();
        }
    }

    private static string AddressOf(IReadOnlyList<ListeningAddress> listening, string name) =>
        listening.FirstOrDefault(address => address.Name == name)?.Url ?? "";
}
