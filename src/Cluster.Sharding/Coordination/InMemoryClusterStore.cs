namespace Cluster.Sharding.Coordination;

/// <summary>A cluster store for a single node, and for tests: it lives and ends with the process.</summary>
public sealed class InMemoryClusterStore : IClusterStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StoreEntry> _entries = new(StringComparer.Ordinal);
    private long _revision;

    /// <inheritdoc/>
    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return new(_entries.GetValueOrDefault(key));
        }
    }

    /// <inheritdoc/>
    public ValueTask<long?> TrySetAsync(string key, ReadOnlyMemory<byte> value, long expectedRevision, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if ((_entries.GetValueOrDefault(key)?.Revision ?? 0) != expectedRevision)
            {
                return new((long?)null);
            }

            _entries[key] = new StoreEntry(value.ToArray(), ++_revision);
            return new(_revision);
        }
    }
}
