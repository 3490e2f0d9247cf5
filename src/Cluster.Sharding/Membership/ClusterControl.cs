using System.Threading.Channels;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Region;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// The shell around <see cref="ClusterControlCore"/>: one loop that hands it the store's answers and changes, time and wishes, one after the other,
/// and asks the store for what it wants. It never waits for the store itself. Thread-safe.
/// </summary>
public sealed class ClusterControl : IAsyncDisposable
{
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);

    private readonly ClusterControlCore _core;
    private readonly Effects _effects;
    private readonly MonotonicClock _clock;
    private readonly CancellationTokenSource _end = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<Action<ClusterControlCore, long>> _mailbox = Channel.CreateUnbounded<Action<ClusterControlCore, long>>(
        new UnboundedChannelOptions { SingleReader = true });

    private readonly ITimer _timer;
    private readonly Task _loop;
    private int _ticking;

    /// <summary>Begins to join.</summary>
    /// <param name="options">How a node is a member, and how the coordinator allocates.</param>
    /// <param name="self">This node's record.</param>
    /// <param name="store">The cluster store; not disposed of here.</param>
    /// <param name="clock">The node's time.</param>
    /// <param name="observer">Told what this node knows; called on the loop, must not wait.</param>
    public ClusterControl(
        ClusterControlOptions options, Member self, IClusterStore store, MonotonicClock clock, IClusterControlObserver observer)
    {
        _clock = clock;
        _effects = new Effects(this, store, observer);
        _core = new ClusterControlCore(options, self, _effects);
        _loop = RunAsync();
        Post(static (core, now) => core.Start(now));
        _timer = clock.Time.CreateTimer(static control => ((ClusterControl)control!).Tick(), this, TickInterval, TickInterval);
    }

    /// <summary>What this node knows of the cluster now.</summary>
    public ClusterSnapshot Snapshot => _effects.Snapshot ?? _core.Snapshot;

    /// <summary>Until when this node's lease is known to last, by the node's clock; 0 while it may not act.</summary>
    public long Authority => _effects.Authority;

    /// <summary>Shards that this node as coordinator had begin empty, since nobody was left who had them.</summary>
    public long EmptiedShards => _core.EmptiedShards;

    /// <summary>What this node's primaries now say of their copies: all of it.</summary>
    public void SetReports(IReadOnlyList<ShardReport> reports) => Post((core, now) => core.SetReports(reports, now));

    /// <summary>Has this node's shards moved away; completes when it has none, or nobody else could take them.</summary>
    public Task DrainAsync(CancellationToken cancellationToken)
    {
        Post(static (core, now) => core.Drain(now));
        return _drained.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Leaves the cluster: the lease is revoked. Completes when that is done.</summary>
    public Task LeaveAsync(CancellationToken cancellationToken)
    {
        Post(static (core, now) => core.Leave(now));
        return _left.Task.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        await _end.CancelAsync();
        _mailbox.Writer.TryComplete();
        await _loop;
        await _effects.EndWatchAsync();
        _end.Dispose();
    }

    private void Tick()
    {
        if (Interlocked.Exchange(ref _ticking, 1) == 0)
        {
            Post((core, now) =>
            {
                Volatile.Write(ref _ticking, 0);
                core.Advance(now);
            });
        }
    }

    private void Post(Action<ClusterControlCore, long> message) => _mailbox.Writer.TryWrite(message);

    private async Task RunAsync()
    {
        await foreach (Action<ClusterControlCore, long> message in _mailbox.Reader.ReadAllAsync())
        {
            message(_core, _clock.Now);
            if (_core.IsDrained)
            {
                _drained.TrySetResult();
            }

            if (_core.HasLeft)
            {
                _left.TrySetResult();
            }
        }
    }

    /// <summary>What the core wants done, as calls of the store.</summary>
    private sealed class Effects(ClusterControl control, IClusterStore store, IClusterControlObserver observer) : IClusterControlEffects
    {
        private ClusterSnapshot? _snapshot;
        private long _authority;
        private CancellationTokenSource? _watchEnd;
        private Task _watch = Task.CompletedTask;

        public ClusterSnapshot? Snapshot => Volatile.Read(ref _snapshot);

        public long Authority => Volatile.Read(ref _authority);

        public void Request(StoreRequest request) => _ = AskAsync(request);

        public void Watch(string prefix, long afterRevision)
        {
            Task before = _watch;
            CancellationTokenSource? endBefore = _watchEnd;
            CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(control._end.Token);
            _watchEnd = end;
            _watch = FollowAsync(before, endBefore, prefix, afterRevision, end.Token);
        }

        public void Publish(ClusterSnapshot snapshot)
        {
            Volatile.Write(ref _snapshot, snapshot);
            observer.Published(snapshot);
        }

        public void SetAuthority(long validUntil)
        {
            if (validUntil != Authority)
            {
                Volatile.Write(ref _authority, validUntil);
                observer.AuthorityChanged(validUntil);
            }
        }

        public void Reject(string problem) => observer.Rejected(problem);

        public async Task EndWatchAsync()
        {
            await _watch;
            _watchEnd?.Dispose();
        }

        private async Task AskAsync(StoreRequest request)
        {
            StoreAnswer answer;
            try
            {
                CancellationToken end = control._end.Token;
                answer = request switch
                {
                    StoreRequest.List list => new StoreAnswer.Listed(await store.ListAsync(list.Prefix, end)),
                    StoreRequest.Commit commit => new StoreAnswer.Committed(await store.TryCommitAsync(commit.Transaction, end)),
                    StoreRequest.Grant grant => new StoreAnswer.Granted(await store.GrantLeaseAsync(grant.TimeToLive, end)),
                    StoreRequest.KeepAlive keepAlive => new StoreAnswer.KeptAlive(await store.KeepAliveAsync(keepAlive.Lease, end)),
                    StoreRequest.Revoke revoke => await RevokeAsync(revoke.Lease, end),
                    _ => throw new ArgumentOutOfRangeException(nameof(request)),
                };
            }
            catch (OperationCanceledException) when (control._end.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception) when (exception is ClusterStoreException or ObjectDisposedException)
            {
                answer = new StoreAnswer.Failed(exception.Message);
                observer.StoreFailed(exception.Message);
            }

            control.Post((core, now) => core.Answered(request, answer, now));
        }

        private async Task<StoreAnswer> RevokeAsync(long lease, CancellationToken cancellationToken)
        {
            await store.RevokeLeaseAsync(lease, cancellationToken);
            return new StoreAnswer.Revoked();
        }

        private async Task FollowAsync(
            Task before, CancellationTokenSource? endBefore, string prefix, long afterRevision, CancellationToken cancellationToken)
        {
            // Off the loop before anything is waited for.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            if (endBefore is not null)
            {
                await endBefore.CancelAsync();
                await before;
                endBefore.Dispose();
            }

            try
            {
                await foreach (StoreChanges changes in store.WatchAsync(prefix, afterRevision, cancellationToken))
                {
                    control.Post((core, now) => core.Changed(changes, now));
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException or ClusterStoreException)
            {
                // Ended, by another watch or with the node.
            }
        }
    }
}

/// <summary>Who is told what a node knows of its cluster. Called on one loop, one call at a time; must not wait.</summary>
public interface IClusterControlObserver
{
    /// <summary>A newer view of the cluster.</summary>
    void Published(ClusterSnapshot snapshot);

    /// <summary>Until when this node's lease is known to last, by the node's clock; 0 while it may not act.</summary>
    void AuthorityChanged(long validUntil);

    /// <summary>This node cannot be in this cluster.</summary>
    void Rejected(string problem);

    /// <summary>The store did not answer; it is asked again. On any thread, at most a few times a second.</summary>
    void StoreFailed(string problem);
}
