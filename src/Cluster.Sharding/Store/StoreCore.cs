namespace Cluster.Sharding.Store;

/// <summary>
/// A store with etcd's semantics in memory: what is behind <see cref="InMemoryClusterStore"/> and a simulated cluster. A synchronous state machine;
/// used by one thread at a time. Time is in milliseconds of any monotonic clock and never goes back.
/// </summary>
/// <remarks>
/// State: keys with the revisions at which they were made and last changed; leases with what is bound to them; the changes of the latest revisions.
/// <list type="bullet">
/// <item>The revision rises by 1 with each transaction that changes something and with each lease that ends with keys; never otherwise.</item>
/// <item>A key is bound to one lease at most, to that of its last put; a lease that has ended never comes back.</item>
/// <item>Leases end in <see cref="Advance"/>, <see cref="Grant"/>, <see cref="KeepAlive"/> and <see cref="Revoke"/>, never in between.</item>
/// </list>
/// </remarks>
public sealed class StoreCore
{
    /// <summary>Revisions whose changes are remembered, unless told otherwise.</summary>
    public const int DefaultHistory = 256;

    private readonly SortedDictionary<string, StoreEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<long, Lease> _leases = [];
    private readonly Queue<StoreChanges> _history = new();
    private readonly int _historyLimit;
    private long _lastLease;

    /// <summary>The changes up to this revision are forgotten.</summary>
    private long _forgotten;

    /// <summary>An empty store at revision 1.</summary>
    /// <param name="history">Revisions whose changes are remembered for watches, 1 or more.</param>
    public StoreCore(int history = DefaultHistory)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(history);
        _historyLimit = history;
    }

    /// <summary>The revision of the last change; 1 or more.</summary>
    public long Revision { get; private set; } = 1;

    /// <summary>When the next lease ends if nobody keeps it alive; null without one.</summary>
    public long? NextEnd
    {
        get
        {
            long? next = null;
            foreach (Lease lease in _leases.Values)
            {
                next = next < lease.End ? next : lease.End;
            }

            return next;
        }
    }

    /// <summary>Everything under a prefix.</summary>
    public StoreSnapshot List(string prefix) =>
        new(Revision, [.. _entries.Values.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal))]);

    /// <summary>Makes all changes of a transaction, if all its conditions hold; none otherwise. Values are copied.</summary>
    /// <returns>The revision of the changes, or of the store when there was nothing to change; null when a condition did not hold.</returns>
    /// <exception cref="ArgumentException">A key is changed twice.</exception>
    /// <exception cref="ClusterStoreException">The conditions hold, but a lease has ended. Nothing was changed.</exception>
    public long? Commit(StoreTransaction transaction)
    {
        transaction.ThrowIfInvalid();
        foreach (StoreCondition condition in transaction.Conditions)
        {
            if (condition.ModifyRevision != (_entries.TryGetValue(condition.Key, out StoreEntry? entry) ? entry.ModifyRevision : 0))
            {
                return null;
            }
        }

        foreach (StorePut put in transaction.Puts)
        {
            if (put.Lease != 0 && !_leases.ContainsKey(put.Lease))
            {
                throw new ClusterStoreException($"the lease {put.Lease} of {put.Key} has ended");
            }
        }

        string[] deleted = [.. transaction.Deletes.Where(_entries.ContainsKey).Distinct(StringComparer.Ordinal)];
        if (transaction.Puts.Count == 0 && deleted.Length == 0)
        {
            return Revision;
        }

        Revision++;
        StoreEntry[] puts = [.. transaction.Puts.Select(Put)];
        Remove(deleted);
        Remember(new StoreChanges(Revision, puts, deleted));
        return Revision;
    }

    /// <summary>Begins a lease.</summary>
    /// <param name="timeToLive">How long it lasts unless kept alive, in milliseconds, above 0.</param>
    /// <param name="now">The time.</param>
    /// <returns>Its ID: 1, 2, 3, ...</returns>
    public long Grant(long timeToLive, long now)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(timeToLive);
        Advance(now);
        _leases.Add(++_lastLease, new Lease(timeToLive) { End = now + timeToLive });
        return _lastLease;
    }

    /// <summary>Lets a lease begin anew with its full time.</summary>
    /// <returns>False when it has ended.</returns>
    public bool KeepAlive(long lease, long now)
    {
        Advance(now);
        if (!_leases.TryGetValue(lease, out Lease? found))
        {
            return false;
        }

        found.End = now + found.TimeToLive;
        return true;
    }

    /// <summary>Ends a lease, and removes what is bound to it in one revision.</summary>
    /// <returns>False when it had ended already.</returns>
    public bool Revoke(long lease, long now)
    {
        Advance(now);
        return End(lease);
    }

    /// <summary>Ends the leases whose time is over, in order of their ends, each in a revision of its own.</summary>
    public void Advance(long now)
    {
        foreach (KeyValuePair<long, Lease> lease in _leases.Where(lease => lease.Value.End <= now)
            .OrderBy(lease => lease.Value.End).ThenBy(lease => lease.Key).ToArray())
        {
            End(lease.Key);
        }
    }

    /// <summary>
    /// Changes under a prefix after a revision, in order. What is older than the remembered changes is answered by one with a
    /// <see cref="StoreChanges.Snapshot"/>. Who follows the store asks next after what is <see cref="Revision"/> now.
    /// </summary>
    public IReadOnlyList<StoreChanges> ChangesAfter(long revision, string prefix)
    {
        if (revision < _forgotten)
        {
            return [new StoreChanges(Revision, [], [], List(prefix))];
        }

        List<StoreChanges> found = [];
        foreach (StoreChanges changes in _history)
        {
            if (changes.Revision <= revision)
            {
                continue;
            }

            StoreEntry[] put = [.. changes.Put.Where(entry => entry.Key.StartsWith(prefix, StringComparison.Ordinal))];
            string[] deleted = [.. changes.Deleted.Where(key => key.StartsWith(prefix, StringComparison.Ordinal))];
            if (put.Length + deleted.Length > 0)
            {
                found.Add(new StoreChanges(changes.Revision, put, deleted));
            }
        }

        return found;
    }

    private StoreEntry Put(StorePut put)
    {
        long created = Revision;
        if (_entries.TryGetValue(put.Key, out StoreEntry? before))
        {
            created = before.CreateRevision;
            Unbind(before);
        }

        StoreEntry entry = new(put.Key, put.Value.ToArray(), created, Revision, put.Lease);
        _entries[put.Key] = entry;
        if (put.Lease != 0)
        {
            _leases[put.Lease].Keys.Add(put.Key);
        }

        return entry;
    }

    private void Remove(string[] keys)
    {
        foreach (string key in keys)
        {
            _entries.Remove(key, out StoreEntry? entry);
            Unbind(entry!);
        }
    }

    private void Unbind(StoreEntry entry)
    {
        if (entry.Lease != 0 && _leases.TryGetValue(entry.Lease, out Lease? lease))
        {
            lease.Keys.Remove(entry.Key);
        }
    }

    private bool End(long lease)
    {
        if (!_leases.Remove(lease, out Lease? ended))
        {
            return false;
        }

        if (ended.Keys.Count > 0)
        {
            Revision++;
            string[] deleted = [.. ended.Keys];
            Remove(deleted);
            Remember(new StoreChanges(Revision, [], deleted));
        }

        return true;
    }

    private void Remember(StoreChanges changes)
    {
        _history.Enqueue(changes);
        while (_history.Count > _historyLimit)
        {
            _forgotten = _history.Dequeue().Revision;
        }
    }

    private sealed class Lease(long timeToLive)
    {
        public long TimeToLive { get; } = timeToLive;

        public long End { get; set; }

        public SortedSet<string> Keys { get; } = new(StringComparer.Ordinal);
    }
}
