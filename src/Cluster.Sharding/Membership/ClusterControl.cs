using System.Threading.Channels;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// This node in its cluster: a <see cref="ClusterControlCore"/> with a store, a clock and a loop. Everything that happens is a message to the loop;
/// requests to the store run beside it, and a store that hangs holds up nothing. Thread-safe.
/// </summary>
public sealed class ClusterControl : IClusterControlEffects, IAsyncDisposable
{
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Before a watch that broke is begun again.</summary>
    private static readonly TimeSpan WatchPause = TimeSpan.FromSeconds(1);

    private readonly IClusterStore _store;
    private readonly IClusterControlObserver _observer;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly ClusterControlCore _core;
    private readonly Channel<Action<long>> _mailbox = Channel.CreateUnbounded<Action<long>>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _timer;
    private readonly Task _loop;
    private CancellationTokenSource? _watch;
    private ClusterSnapshot _snapshot;
    private bool _storeFails;
    private int _tickWaits;
    private int _disposed;

    /// <summary>Begins to join the cluster.</summary>
    /// <param name="store">What the cluster agrees on; stays the caller's.</param>
    /// <param name="options">How.</param>
    /// <param name="self">This node.</param>
    /// <param name="observer">Is told what is found out.</param>
    /// <param name="time">The clock.</param>
    /// <param name="start">Timestamp of <paramref name="time"/> that milliseconds count from.</param>
    public ClusterControl(
        IClusterStore store, ClusterControlOptions options, Member self, IClusterControlObserver observer, TimeProvider time, long start)
    {
        _store = store;
        _observer = observer;
        _time = time;
        _start = start;
        _core = new ClusterControlCore(options, self, this);
        _snapshot = _core.Snapshot;
        Post(_core.Start);
        _loop = Task.Run(RunAsync);
        _timer = time.CreateTimer(static control => ((ClusterControl)control!).Tick(), this, TickInterval, TickInterval);
    }

    /// <summary>What this node knows of the cluster now.</summary>
    public ClusterSnapshot Snapshot => Volatile.Read(ref _snapshot);

    /// <summary>Shards that this node as coordinator had begin empty, since nobody was left who had them.</summary>
    public long EmptiedShards => _core.EmptiedShards;

    /// <summary>Shards of which this node as coordinator made a stale copy the primary, since no other was left.</summary>
    public long StalePromotions => _core.StalePromotions;

    /// <summary>What this node's primaries now say of their copies: all of it. The list must not change any more.</summary>
    public void SetReports(IReadOnlyList<ShardReport> reports) => Post(now => _core.SetReports(reports, now));

    /// <summary>Has this node's shards moved away; completes when it holds none, nobody else could take them, or it is no member any more.</summary>
    public Task DrainAsync(CancellationToken cancellationToken)
    {
        Post(_core.Drain);
        return _drained.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Leaves the cluster; completes when the lease is revoked, or has ended by itself.</summary>
    public Task LeaveAsync(CancellationToken cancellationToken)
    {
        Post(_core.Leave);
        return _left.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Stops. The lease, if there still is one, ends by itself: see <see cref="LeaveAsync"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _timer.DisposeAsync();
        _mailbox.Writer.TryComplete();
        await _loop;
        await _stopping.CancelAsync();
        _drained.TrySetCanceled();
        _left.TrySetCanceled();
        _stopping.Dispose();
    }

    void IClusterControlEffects.Request(StoreRequest request) => _ = AskAsync(request);

    void IClusterControlEffects.Watch(string prefix, long afterRevision)
    {
        _watch?.Cancel();
        _watch = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        _ = FollowAsync(prefix, afterRevision, _watch);
    }

    void IClusterControlEffects.Publish(ClusterSnapshot snapshot)
    {
        Volatile.Write(ref _snapshot, snapshot);
        _observer.SnapshotChanged(snapshot);
    }

    void IClusterControlEffects.SetAuthority(long validUntil) => _observer.AuthorityChanged(validUntil);

    void IClusterControlEffects.Fenced() => _observer.Fenced();

    void IClusterControlEffects.Unfenced(long milliseconds) => _observer.Unfenced(TimeSpan.FromMilliseconds(milliseconds));

    void IClusterControlEffects.Reject(string problem) => _observer.Rejected(problem);

    /// <summary>Completes when the loop has come to what was posted before.</summary>
    internal Task FlushAsync()
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(_ => reached.SetResult());
        return reached.Task;
    }

    private void Post(Action<long> message) => _mailbox.Writer.TryWrite(message);

    private void Tick()
    {
        if (Interlocked.Exchange(ref _tickWaits, 1) == 0)
        {
            Post(now =>
            {
                Volatile.Write(ref _tickWaits, 0);
                _core.Advance(now);
            });
        }
    }

    private async Task RunAsync()
    {
        await foreach (Action<long> message in _mailbox.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                message((long)_time.GetElapsedTime(_start).TotalMilliseconds);
            }
            catch (Exception exception)
            {
                _observer.Faulted(exception);
            }

            if (_core.IsDrained || _core.HasLeft)
            {
                _drained.TrySetResult();
            }

            if (_core.HasLeft)
            {
                _left.TrySetResult();
            }
        }
    }

    private async Task AskAsync(StoreRequest request)
    {
        StoreAnswer answer;
        try
        {
            answer = await AnswerAsync(request, _stopping.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return;
        }
        catch (Exception exception)
        {
            answer = new StoreAnswer.Failed(exception.Message);
        }

        Post(now =>
        {
            Observe((answer as StoreAnswer.Failed)?.Problem);
            _core.Answered(request, answer, now);
        });
    }

    private async Task<StoreAnswer> AnswerAsync(StoreRequest request, CancellationToken cancellationToken)
    {
        switch (request)
        {
            case StoreRequest.List(var prefix):
                return new StoreAnswer.Listed(await _store.ListAsync(prefix, cancellationToken).ConfigureAwait(false));
            case StoreRequest.Commit(var transaction):
                return new StoreAnswer.Committed(await _store.TryCommitAsync(transaction, cancellationToken).ConfigureAwait(false));
            case StoreRequest.Grant(var timeToLive):
                return new StoreAnswer.Granted(await _store.GrantLeaseAsync(timeToLive, cancellationToken).ConfigureAwait(false));
            case StoreRequest.KeepAlive(var lease):
                return new StoreAnswer.KeptAlive(await _store.KeepAliveAsync(lease, cancellationToken).ConfigureAwait(false));
            case StoreRequest.Revoke(var lease):
                await _store.RevokeLeaseAsync(lease, cancellationToken).ConfigureAwait(false);
                return new StoreAnswer.Revoked();
            default:
                throw new ArgumentOutOfRangeException(nameof(request));
        }
    }

    private async Task FollowAsync(string prefix, long revision, CancellationTokenSource ending)
    {
        using (ending)
        {
            CancellationToken end = ending.Token;
            while (!end.IsCancellationRequested)
            {
                try
                {
                    await foreach (StoreChanges changes in _store.WatchAsync(prefix, revision, end).ConfigureAwait(false))
                    {
                        revision = Math.Max(revision, changes.Snapshot?.Revision ?? changes.Revision);
                        Post(now => _core.Changed(changes, now));
                    }
                }
                catch (Exception) when (end.IsCancellationRequested)
                {
                    return;
                }
                catch (Exception exception)
                {
                    Post(_ => Observe(exception.Message));
                }

                await Task.Delay(WatchPause, _time, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Observe(string? problem)
    {
        bool fails = problem is not null;
        if (fails == _storeFails)
        {
            return;
        }

        _storeFails = fails;
        if (fails)
        {
            _observer.StoreFailed(problem!);
        }
        else
        {
            _observer.StoreAnswers();
        }
    }
}
