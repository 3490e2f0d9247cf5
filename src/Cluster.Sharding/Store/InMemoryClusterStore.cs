using System.Runtime.CompilerServices;

namespace Cluster.Sharding.Store;

/// <summary>The store of a single process: <see cref="StoreCore"/> behind a lock, with leases that end by a clock. Thread-safe.</summary>
public sealed class InMemoryClusterStore : IClusterStore
{
    private readonly Lock _lock = new();
    private readonly StoreCore _store = new();
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly ITimer _timer;
    private TaskCompletionSource _changed = NewSignal();
    private bool _disposed;

    /// <summary>An empty store.</summary>
    /// <param name="time">Ends leases.</param>
    public InMemoryClusterStore(TimeProvider time)
    {
        _time = time;
        _start = time.GetTimestamp();
        _timer = time.CreateTimer(
            static store => ((InMemoryClusterStore)store!).EndLeases(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public Task<StoreSnapshot> ListAsync(string prefix, CancellationToken cancellationToken) =>
        Run((store, _) => store.List(prefix), cancellationToken);

    /// <inheritdoc/>
    public Task<long?> TryCommitAsync(StoreTransaction transaction, CancellationToken cancellationToken) =>
        Run((store, _) => store.Commit(transaction), cancellationToken);

    /// <inheritdoc/>
    public Task<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken) =>
        Run((store, now) => store.Grant((long)Math.Ceiling(timeToLive.TotalMilliseconds), now), cancellationToken);

    /// <inheritdoc/>
    public Task<bool> KeepAliveAsync(long lease, CancellationToken cancellationToken) =>
        Run((store, now) => store.KeepAlive(lease, now), cancellationToken);

    /// <inheritdoc/>
    public Task RevokeLeaseAsync(long lease, CancellationToken cancellationToken) =>
        Run((store, now) => store.Revoke(lease, now), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long afterRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long revision = afterRevision;
        while (true)
        {
            IReadOnlyList<StoreChanges> changes;
            Task changed;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                changes = _store.ChangesAfter(revision, prefix);
                revision = Math.Max(revision, _store.Revision);
                changed = _changed.Task;
            }

            foreach (StoreChanges change in changes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return change;
            }

            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Forgets everything. Whoever still watches gets an <see cref="ObjectDisposedException"/>.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _disposed = true;
            _changed.TrySetResult();
        }

        return _timer.DisposeAsync();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Task<T> Run<T>(Func<StoreCore, long, T> action, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<T>(cancellationToken);
        }

        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            long revision = _store.Revision;
            try
            {
                long now = (long)_time.GetElapsedTime(_start).TotalMilliseconds;
                _store.Advance(now);
                T result = action(_store, now);
                SetTimer(now);
                return Task.FromResult(result);
            }
            catch (ClusterStoreException exception)
            {
                return Task.FromException<T>(exception);
            }
            finally
            {
                if (_store.Revision != revision)
                {
                    _changed.TrySetResult();
                    _changed = NewSignal();
                }
            }
        }
    }

    private void EndLeases()
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _ = Run(static (_, _) => true, CancellationToken.None);
            }
        }
    }

    private void SetTimer(long now)
    {
        // A timer of the system may fire a little early; then it is set once more.
        TimeSpan due = _store.NextEnd is { } end ? TimeSpan.FromMilliseconds(Math.Max(1, end - now)) : Timeout.InfiniteTimeSpan;
        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }
}
