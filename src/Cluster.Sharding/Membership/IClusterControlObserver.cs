namespace Cluster.Sharding.Membership;

/// <summary>
/// Is told what a <see cref="ClusterControl"/> finds out. Called by its loop, one call at a time, in order: must return quickly, not throw, and
/// not wait for the <see cref="ClusterControl"/>.
/// </summary>
public interface IClusterControlObserver
{
    /// <summary>Members, coordinator or allocation have changed. Never older than the one before.</summary>
    void SnapshotChanged(ClusterSnapshot snapshot);

    /// <summary>Until when this node may acknowledge and decide; monotonic milliseconds since the control's start, 0 for not at all.</summary>
    void AuthorityChanged(long validUntil);

    /// <summary>This node had authority, and has not any more, though it does not leave. Not said again until it has had it again.</summary>
    void Fenced();

    /// <summary>This node has authority again.</summary>
    /// <param name="fenced">For how long it had none.</param>
    void Unfenced(TimeSpan fenced);

    /// <summary>This node cannot be in this cluster, and has given up; the text says which setting to change.</summary>
    void Rejected(string problem);

    /// <summary>The store does not answer, or refuses; not said again until it has answered.</summary>
    void StoreFailed(string problem);

    /// <summary>The store answers again.</summary>
    void StoreAnswers();

    /// <summary>A bug; the loop goes on.</summary>
    void Faulted(Exception exception);
}
