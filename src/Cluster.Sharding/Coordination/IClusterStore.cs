namespace Cluster.Sharding.Coordination;

/// <summary>
/// The few facts that a cluster must agree on, in a store that orders all changes: keys with revisions, changed only by
/// compare-and-swap. No span ever goes through it. Thread-safe.
/// </summary>
public interface IClusterStore
{
    /// <summary>The value of a key; null when it has none.</summary>
    ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken);

    /// <summary>Sets a key, if nobody has changed it since.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">Its new value.</param>
    /// <param name="expectedRevision">The revision it was read at; 0 for a key that must not exist.</param>
    /// <param name="cancellationToken">Gives up; the change may have happened nevertheless.</param>
    /// <returns>The new revision, or null when somebody else was first.</returns>
    ValueTask<long?> TrySetAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken cancellationToken);
}

/// <summary>A value as it was at a revision.</summary>
/// <param name="Value">The bytes.</param>
/// <param name="Revision">Rises with every change in the store; 1 or more.</param>
public sealed record StoreEntry(ReadOnlyMemory<byte> Value, long Revision);
