using System.Collections.Concurrent;

namespace Cluster.Gateway.Receivers;

/// <summary>Cancellation sources with a timer, kept for the next request that has to wait. Thread-safe.</summary>
internal sealed class DeadlinePool(TimeProvider time)
{
    private const int Kept = 256;

    private readonly ConcurrentQueue<CancellationTokenSource> _sources = new();

    /// <summary>The clock of all deadlines.</summary>
    public TimeProvider Time => time;

    /// <summary>A source whose timer is not armed.</summary>
    public CancellationTokenSource Rent() =>
        _sources.TryDequeue(out CancellationTokenSource? source) ? source : new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);

    /// <summary>Takes back a source that nothing listens to any more.</summary>
    public void Return(CancellationTokenSource source)
    {
        // Only sources on the system clock can be reset; others are for tests.
        if (_sources.Count < Kept && source.TryReset())
        {
            _sources.Enqueue(source);
        }
        else
        {
            source.Dispose();
        }
    }
}

/// <summary>
/// The two time limits of one request: ours for its body, and the client's own for all of it. There is no timer before something
/// has to be waited for. Not thread-safe; disposed by whoever made it, when nothing waits any more.
/// </summary>
/// <param name="pool">Where timers come from.</param>
/// <param name="bodyTimeout">From now to the last byte of the body.</param>
/// <param name="clientTimeout">From now to the answer (<c>grpc-timeout</c>); null when the client set none.</param>
internal sealed class RequestDeadline(DeadlinePool pool, TimeSpan bodyTimeout, TimeSpan? clientTimeout) : IDisposable
{
    // The longest delay a timer takes.
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(int.MaxValue);

    private readonly long _arrived = pool.Time.GetTimestamp();
    private CancellationTokenSource? _source;
    private CancellationTokenRegistration _link;

    /// <summary>True when it is the client's own time that is over.</summary>
    public bool ClientTimeIsOver => clientTimeout is { } timeout && pool.Time.GetElapsedTime(_arrived) >= timeout;

    /// <summary>True when one of the two has passed, and not the client left.</summary>
    public bool IsOver => _source is { IsCancellationRequested: true };

    /// <summary>Cancelled when the body should be here.</summary>
    public CancellationToken ForBody() =>
        _source?.Token ?? Arm(clientTimeout is { } timeout && timeout < bodyTimeout ? timeout : bodyTimeout);

    /// <summary>Cancelled when the client's time is over, or when it leaves (<paramref name="aborted"/>).</summary>
    public CancellationToken ForDelivery(CancellationToken aborted)
    {
        if (clientTimeout is not { } timeout)
        {
            return aborted;
        }

        CancellationToken token = Arm(timeout);
        _link = aborted.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _source);
        return token;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _link.Dispose();
        if (_source is { } source)
        {
            _source = null;
            pool.Return(source);
        }
    }

    private CancellationToken Arm(TimeSpan timeout)
    {
        _source ??= pool.Rent();
        TimeSpan left = timeout - pool.Time.GetElapsedTime(_arrived);
        if (left <= TimeSpan.Zero)
        {
            _source.Cancel();
        }
        else
        {
            // Rounded up to a timer's millisecond: never early.
            _source.CancelAfter(left < Longest ? left + TimeSpan.FromTicks(TimeSpan.TicksPerMillisecond - 1) : Longest);
        }

        return _source.Token;
    }
}
