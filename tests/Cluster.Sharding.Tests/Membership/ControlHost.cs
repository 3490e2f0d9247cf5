using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Membership;

/// <summary>Several <see cref="ClusterControl"/>s on one store in memory, with one clock that a test moves.</summary>
internal sealed class ControlHost : IAsyncDisposable
{
    private readonly List<(ClusterControl Control, RecordingObserver Observer)> _controls = [];
    private readonly InMemoryClusterStore _memory;

    public ControlHost()
    {
        _memory = new InMemoryClusterStore(Time);
        Store = new FaultyStore(_memory);
    }

    public ManualTimeProvider Time { get; } = new();

    public FaultyStore Store { get; }

    public static ClusterControlOptions Options { get; } = new() { ShardCount = 8, LeaseTimeToLive = TimeSpan.FromSeconds(5) };

    public (ClusterControl Control, RecordingObserver Observer) Start(string name, ulong incarnation = 1, ClusterControlOptions? options = null)
    {
        RecordingObserver observer = new();
        Member self = new(new MemberId(name, incarnation), $"{name}:4320");
        ClusterControl control = new(Store, options ?? Options, self, observer, Time, start: 0);
        _controls.Add((control, observer));
        return (control, observer);
    }

    /// <summary>Stops a node as a crash would.</summary>
    public async Task KillAsync(ClusterControl control)
    {
        _controls.RemoveAll(item => item.Control == control);
        await control.DisposeAsync();
    }

    /// <summary>Moves the clock until something is so.</summary>
    public async Task UntilAsync(Func<bool> condition, string what)
    {
        for (int i = 0; !condition(); i++)
        {
            Assert.True(i < 20_000, $"not within 1,000 s: {what}");
            Time.Advance(TimeSpan.FromMilliseconds(50));
            foreach ((ClusterControl control, _) in _controls)
            {
                // Once for what is posted, once for what the store answered to it.
                await control.FlushAsync();
                await control.FlushAsync();
            }
        }
    }

    /// <summary>Of each node that is there: how many shards it is primary of, as a node sees it.</summary>
    public static int[] Primaries(ClusterSnapshot snapshot, params string[] names) =>
        [.. names.Select(name => Enumerable.Range(0, 8).Count(i => snapshot.Allocation[i].Primary.Node == name))];

    public async ValueTask DisposeAsync()
    {
        foreach ((ClusterControl control, RecordingObserver observer) in _controls)
        {
            await control.DisposeAsync();
            Assert.Empty(observer.Faults);
        }

        await _memory.DisposeAsync();
    }
}

/// <summary>What a node was told.</summary>
internal sealed class RecordingObserver : IClusterControlObserver
{
    private long _authority;
    private string? _rejection;
    private int _snapshots;

    public long Authority => Volatile.Read(ref _authority);

    public string? Rejection => Volatile.Read(ref _rejection);

    public int Snapshots => Volatile.Read(ref _snapshots);

    public List<string> StoreEvents { get; } = [];

    /// <summary>Null for being fenced; else after how long that was over.</summary>
    public List<TimeSpan?> Fences { get; } = [];

    public List<Exception> Faults { get; } = [];

    public void SnapshotChanged(ClusterSnapshot snapshot) => Interlocked.Increment(ref _snapshots);

    public void AuthorityChanged(long validUntil) => Volatile.Write(ref _authority, validUntil);

    public void Fenced() => Fences.Add(null);

    public void Unfenced(TimeSpan fenced) => Fences.Add(fenced);

    public void Rejected(string problem) => Volatile.Write(ref _rejection, problem);

    public void StoreFailed(string problem) => StoreEvents.Add(problem);

    public void StoreAnswers() => StoreEvents.Add("answers");

    public void Faulted(Exception exception) => Faults.Add(exception);
}

/// <summary>A store that a test makes fail or hang.</summary>
internal sealed class FaultyStore(IClusterStore inner) : IClusterStore
{
    private volatile TaskCompletionSource? _hangs;
    private volatile bool _fails;

    public bool Fails
    {
        set => _fails = value;
    }

    public void Hang() => _hangs = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void GoOn() => _hangs?.SetResult();

    public Task<StoreSnapshot> ListAsync(string prefix, CancellationToken cancellationToken) =>
        Run(() => inner.ListAsync(prefix, cancellationToken), cancellationToken);

    public Task<long?> TryCommitAsync(StoreTransaction transaction, CancellationToken cancellationToken) =>
        Run(() => inner.TryCommitAsync(transaction, cancellationToken), cancellationToken);

    public Task<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken) =>
        Run(() => inner.GrantLeaseAsync(timeToLive, cancellationToken), cancellationToken);

    public Task<bool> KeepAliveAsync(long lease, CancellationToken cancellationToken) =>
        Run(() => inner.KeepAliveAsync(lease, cancellationToken), cancellationToken);

    public Task RevokeLeaseAsync(long lease, CancellationToken cancellationToken) =>
        Run(async () =>
        {
            await inner.RevokeLeaseAsync(lease, cancellationToken);
            return true;
        }, cancellationToken);

    public IAsyncEnumerable<StoreChanges> WatchAsync(string prefix, long afterRevision, CancellationToken cancellationToken) =>
        _fails ? throw new ClusterStoreException("away") : inner.WatchAsync(prefix, afterRevision, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<T> Run<T>(Func<Task<T>> request, CancellationToken cancellationToken)
    {
        if (_hangs is { } hangs)
        {
            await hangs.Task.WaitAsync(cancellationToken);
        }

        return _fails ? throw new ClusterStoreException("away") : await request();
    }
}
