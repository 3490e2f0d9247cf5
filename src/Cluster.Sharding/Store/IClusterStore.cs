namespace Cluster.Sharding.Store;

/// <summary>
/// The few facts that a cluster must agree on, in a store that orders all changes: keys with revisions, changed only by transactions,
/// some of them bound to leases. No span ever goes through it. Thread-safe. The model is etcd's
/// (<see href="https://etcd.io/docs/v3.4/learning/data_model/"/>).
/// </summary>
/// <remarks>
/// Every method throws <see cref="ClusterStoreException"/> when the store cannot be reached or refuses; a change may have happened
/// nevertheless. Keys are relative to the cluster's own prefix.
/// </remarks>
public interface IClusterStore : IAsyncDisposable
{
    /// <summary>Everything under a prefix, at one revision.</summary>
    Task<StoreSnapshot> ListAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Makes all changes of a transaction, if all its conditions hold; none otherwise.</summary>
    /// <returns>The revision of the changes; null when a condition did not hold.</returns>
    Task<long?> TryCommitAsync(StoreTransaction transaction, CancellationToken cancellationToken);

    /// <summary>Begins a lease. What is bound to it goes when it ends.</summary>
    /// <returns>Its ID, not 0.</returns>
    Task<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken);

    /// <summary>Lets a lease begin anew with its full time.</summary>
    /// <returns>False when it has ended: it does not come back.</returns>
    Task<bool> KeepAliveAsync(long lease, CancellationToken cancellationToken);

    /// <summary>Ends a lease and removes what is bound to it. No error when it has ended already.</summary>
    Task RevokeLeaseAsync(long lease, CancellationToken cancellationToken);

    /// <summary>
    /// Changes under a prefix after a revision, in order, each revision's whole; never ends by itself. Lost connections are made anew and
    /// go on where they were; where the store has forgotten that, the first change is a <see cref="StoreChanges.Snapshot"/>.
    /// </summary>
    IAsyncEnumerable<StoreChanges> WatchAsync(string prefix, long afterRevision, CancellationToken cancellationToken);
}

/// <summary>A value as it was at a revision.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Value">The bytes.</param>
/// <param name="CreateRevision">When the key came into being (last).</param>
/// <param name="ModifyRevision">When it last changed.</param>
/// <param name="Lease">The lease it is bound to; 0 for none.</param>
public sealed record StoreEntry(string Key, ReadOnlyMemory<byte> Value, long CreateRevision, long ModifyRevision, long Lease);

/// <summary>What is under a prefix.</summary>
/// <param name="Revision">Of the whole store, when it was read.</param>
/// <param name="Entries">In order of keys.</param>
public sealed record StoreSnapshot(long Revision, IReadOnlyList<StoreEntry> Entries);

/// <summary>Changes that happened at one revision, or everything there is instead.</summary>
/// <param name="Revision">The revision.</param>
/// <param name="Put">Keys with new values.</param>
/// <param name="Deleted">Keys that are gone, by themselves or with a lease.</param>
/// <param name="Snapshot">When not null, this is all there is now, and <paramref name="Put"/> and <paramref name="Deleted"/> are empty.</param>
public sealed record StoreChanges(
    long Revision, IReadOnlyList<StoreEntry> Put, IReadOnlyList<string> Deleted, StoreSnapshot? Snapshot = null);

/// <summary>Conditions and changes that happen together.</summary>
/// <param name="Conditions">All must hold.</param>
/// <param name="Puts">Keys to set.</param>
/// <param name="Deletes">Keys to remove; one that is not there is no error.</param>
public sealed record StoreTransaction(
    IReadOnlyList<StoreCondition> Conditions, IReadOnlyList<StorePut> Puts, IReadOnlyList<string> Deletes)
{
    /// <summary>Most conditions, and most changes, of one transaction: what etcd takes by default.</summary>
    public const int MaxOperations = 128;

    /// <summary>Says what no store would take.</summary>
    /// <exception cref="ArgumentException">There are too many conditions or changes, or a key is put twice, or put and deleted.</exception>
    internal void ThrowIfInvalid()
    {
        if (Conditions.Count > MaxOperations || Puts.Count + Deletes.Count > MaxOperations)
        {
            throw new ArgumentException($"a transaction has at most {MaxOperations} conditions and {MaxOperations} changes");
        }

        HashSet<string> keys = new(StringComparer.Ordinal);
        foreach (StorePut put in Puts)
        {
            if (!keys.Add(put.Key))
            {
                throw new ArgumentException($"a transaction puts {put.Key} twice");
            }
        }

        foreach (string key in Deletes)
        {
            if (keys.Contains(key))
            {
                throw new ArgumentException($"a transaction puts and deletes {key}");
            }
        }
    }
}

/// <summary>A key was last changed at a revision.</summary>
/// <param name="Key">The key.</param>
/// <param name="ModifyRevision">The revision; 0 for a key that is not there.</param>
public sealed record StoreCondition(string Key, long ModifyRevision);

/// <summary>A key to set.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">Its new value.</param>
/// <param name="Lease">The lease that it goes with; 0 for none.</param>
public sealed record StorePut(string Key, ReadOnlyMemory<byte> Value, long Lease = 0);

/// <summary>The cluster store cannot be reached, or refuses.</summary>
public sealed class ClusterStoreException : Exception
{
    /// <summary>An error with what the store said.</summary>
    public ClusterStoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>The store's own code of why it refused; 0 when it did not say, or was not reached.</summary>
    internal int Refusal { get; init; }
}
