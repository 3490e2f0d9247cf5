using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;
using Cluster.Sharding.Transport;

namespace Cluster.Node.Telemetry;

/// <summary>What a node logs of its cluster. Thread-safe.</summary>
internal sealed partial class ClusterLog(ILogger<ClusterLog> logger) : IClusterLog
{
    /// <inheritdoc/>
    public void Changed(ClusterSnapshot before, ClusterSnapshot after)
    {
        if (before.Coordinator != after.Coordinator || !before.Members.Select(m => m.Id).SequenceEqual(after.Members.Select(m => m.Id)))
        {
            MembersChanged(string.Join(", ", after.Members.Select(member => member.Id.Node)), after.Coordinator.Node ?? "nobody yet");
        }

        (int Primaries, int Copies) held = Held(before);
        (int Primaries, int Copies) holds = Held(after);
        if (held != holds)
        {
            ShardsChanged(holds.Primaries, holds.Copies, after.Allocation.Version);
        }
    }

    /// <inheritdoc/>
    public void StoreFailed(string problem) => StoreDoesNotAnswer(problem);

    /// <inheritdoc/>
    public void StoreAnswers() => StoreAnswersAgain();

    /// <inheritdoc/>
    public void Faulted(Exception exception) => ControlFaulted(exception);

    /// <inheritdoc/>
    public void LeaseLost() => LeaseEnded();

    /// <inheritdoc/>
    public void LeaseRegained(TimeSpan fenced) => LeaseIsBack(fenced.TotalSeconds);

    /// <inheritdoc/>
    public void PeerConnected(MemberId peer, PeerDirection direction) => Connected(peer.Node, direction);

    /// <inheritdoc/>
    public void PeerDisconnected(MemberId peer, PeerDirection direction, string problem) => Disconnected(peer.Node, direction, problem);

    /// <inheritdoc/>
    public void PeerProblem(string who, string problem) => Problem(who, problem);

    private static (int Primaries, int Copies) Held(ClusterSnapshot snapshot)
    {
        int primaries = 0;
        int copies = 0;
        for (int shard = 0; shard < snapshot.Allocation.ShardCount; shard++)
        {
            primaries += snapshot.Allocation[shard].Primary == snapshot.Self ? 1 : 0;
            copies += snapshot.Allocation[shard].CopyOn(snapshot.Self) is null ? 0 : 1;
        }

        return (primaries, copies);
    }

    [LoggerMessage(EventIds.ClusterMembersChanged, LogLevel.Information, "Cluster: {Members}; coordinator is {Coordinator}")]
    private partial void MembersChanged(string members, string coordinator);

    [LoggerMessage(EventIds.ClusterShardsChanged, LogLevel.Information, "Shards here: primary of {Primaries}, copy of {Copies} (allocation {Version})")]
    private partial void ShardsChanged(int primaries, int copies, long version);

    [LoggerMessage(EventIds.ClusterLeaseLost, LogLevel.Warning, "The lease may have ended: nothing is acknowledged or decided until it is renewed or there is another")]
    private partial void LeaseEnded();

    [LoggerMessage(EventIds.ClusterLeaseRegained, LogLevel.Information, "There is a lease again: nothing was acknowledged or decided for {Seconds} s")]
    private partial void LeaseIsBack(double seconds);

    [LoggerMessage(EventIds.ClusterStoreFailed, LogLevel.Warning, "The cluster store does not answer: {Problem}")]
    private partial void StoreDoesNotAnswer(string problem);

    [LoggerMessage(EventIds.ClusterStoreAnswers, LogLevel.Information, "The cluster store answers again")]
    private partial void StoreAnswersAgain();

    [LoggerMessage(EventIds.ClusterControlFaulted, LogLevel.Error, "A fault in the cluster's control")]
    private partial void ControlFaulted(Exception exception);

    [LoggerMessage(EventIds.PeerConnected, LogLevel.Information, "Connected with {Peer} ({Direction})")]
    private partial void Connected(string peer, PeerDirection direction);

    [LoggerMessage(EventIds.PeerDisconnected, LogLevel.Information, "Connection with {Peer} ({Direction}) lost: {Problem}")]
    private partial void Disconnected(string peer, PeerDirection direction, string problem);

    [LoggerMessage(EventIds.PeerProblem, LogLevel.Warning, "Peer {Who}: {Problem}")]
    private partial void Problem(string who, string problem);
}
