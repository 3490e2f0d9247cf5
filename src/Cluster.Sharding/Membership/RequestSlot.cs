using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// One kind of request of a node to the store: at most one is under way, and after a failure the next waits, longer each time up to
/// <see cref="LongestPause"/>. A synchronous state machine.
/// </summary>
internal sealed class RequestSlot(IClusterControlEffects effects)
{
    private const long ShortestPause = 100;
    private const long LongestPause = 1000;

    private StoreRequest? _pending;
    private long _notBefore = long.MinValue;
    private long _pause = ShortestPause;

    /// <summary>When the last request was sent; monotonic milliseconds.</summary>
    public long SentAt { get; private set; }

    /// <summary>Whether a request is not answered yet.</summary>
    public bool IsPending => _pending is not null;

    /// <summary>Whether a request may be sent now.</summary>
    public bool IsFree(long now) => !IsPending && now >= _notBefore;

    /// <summary>Sends a request.</summary>
    public void Send(StoreRequest request, long now)
    {
        _pending = request;
        SentAt = now;
        effects.Request(request);
    }

    /// <summary>Takes an answer, if it is to this slot's request. Each request is an object of its own, also when two say the same.</summary>
    public bool Takes(StoreRequest request)
    {
        if (!ReferenceEquals(request, _pending))
        {
            return false;
        }

        _pending = null;
        return true;
    }

    /// <summary>The request did what it should.</summary>
    public void Succeeded() => _pause = ShortestPause;

    /// <summary>It did not, or is not known to have.</summary>
    public void Failed(long now)
    {
        _notBefore = now + _pause;
        _pause = Math.Min(2 * _pause, LongestPause);
    }

    /// <summary>Has the next request wait.</summary>
    public void WaitUntil(long time) => _notBefore = Math.Max(_notBefore, time);
}
