using System.Collections.Concurrent;

namespace Cluster.Node.Exporters.Sending;

/// <summary>Counters of one exporter. Thread-safe; written once a request, never once a span.</summary>
internal sealed class ExporterStatistics(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, long> _failed = new();
    private readonly Lock _gate = new();
    private string? _lastError;
    private DateTimeOffset _lastErrorAt;
    private DateTimeOffset? _lastSuccessAt;
    private long? _failingSince;
    private bool _refused;
    private int _inFlight;
    private int _waitingForRetry;
    private long _sentRequests;
    private long _sentTraces;
    private long _sentSpans;
    private long _sentBytes;
    private long _sentWireBytes;
    private long _retries;
    private long _rejectedTraces;
    private long _rejectedSpans;
    private long _givenUpTraces;
    private long _givenUpSpans;
    private long _unsentTraces;
    private long _unsentSpans;

    /// <summary>Traces that were still here when the process had to end.</summary>
    public long UnsentTraces => Volatile.Read(ref _unsentTraces);

    /// <summary>Spans of them.</summary>
    public long UnsentSpans => Volatile.Read(ref _unsentSpans);

    /// <summary>A sender took a batch.</summary>
    public void Begin() => Interlocked.Increment(ref _inFlight);

    /// <summary>A sender has done with a batch.</summary>
    public void End() => Interlocked.Decrement(ref _inFlight);

    /// <summary>A batch begins to wait for another attempt.</summary>
    public void BeginWait() => Interlocked.Increment(ref _waitingForRetry);

    /// <summary>Its next attempt begins.</summary>
    public void EndWait()
    {
        Interlocked.Decrement(ref _waitingForRetry);
        Interlocked.Increment(ref _retries);
    }

    /// <summary>A request was accepted.</summary>
    /// <returns>Time since the failures began that this success ends, or null.</returns>
    public TimeSpan? Sent(ExportBatch batch, in ExportOutcome outcome)
    {
        long refused = Math.Clamp(outcome.RejectedSpans, 0, batch.Spans);
        Interlocked.Increment(ref _sentRequests);
        Interlocked.Add(ref _sentTraces, batch.Traces);
        Interlocked.Add(ref _sentSpans, batch.Spans - refused);
        Interlocked.Add(ref _sentBytes, batch.Bytes);
        Interlocked.Add(ref _sentWireBytes, outcome.WireBytes);
        Interlocked.Add(ref _rejectedSpans, refused);
        lock (_gate)
        {
            TimeSpan? failedFor = _failingSince is { } since ? time.GetElapsedTime(since) : null;
            _lastSuccessAt = time.GetUtcNow();
            _failingSince = null;
            _refused = false;
            if (outcome.Message.Length > 0)
            {
                _lastError = outcome.Message;
                _lastErrorAt = time.GetUtcNow();
            }

            return failedFor;
        }
    }

    /// <summary>An attempt failed.</summary>
    public void Failed(in ExportOutcome outcome)
    {
        _failed.AddOrUpdate(outcome.Reason, 1, static (_, count) => count + 1);
        lock (_gate)
        {
            _failingSince ??= time.GetTimestamp();
            _lastError = $"{outcome.Reason}: {outcome.Message}";
            _lastErrorAt = time.GetUtcNow();
        }
    }

    /// <summary>A batch was dropped because the receiver refused it for good.</summary>
    public void Rejected(ExportBatch batch)
    {
        Interlocked.Add(ref _rejectedTraces, batch.Traces);
        Interlocked.Add(ref _rejectedSpans, batch.Spans);
        lock (_gate)
        {
            _refused = true;
        }
    }

    /// <summary>A batch was dropped because its time was over.</summary>
    public void GivenUp(ExportBatch batch)
    {
        Interlocked.Add(ref _givenUpTraces, batch.Traces);
        Interlocked.Add(ref _givenUpSpans, batch.Spans);
    }

    /// <summary>Traces are left behind because the process ends.</summary>
    public void Unsent(int traces, int spans)
    {
        Interlocked.Add(ref _unsentTraces, traces);
        Interlocked.Add(ref _unsentSpans, spans);
    }

    /// <summary>Everything at this moment.</summary>
    public ExporterStatus Snapshot(string id, string type, string endpoint, SendingQueue queue)
    {
        lock (_gate)
        {
            ExporterState state = _failingSince is not { } since ? ExporterState.Ok
                : _refused || time.GetElapsedTime(since) >= ExporterStatus.FailingAfter ? ExporterState.Failing
                : ExporterState.Retrying;
            return new ExporterStatus
            {
                Id = id,
                Type = type,
                Endpoint = endpoint,
                State = state,
                QueueBytes = queue.HeldBytes,
                QueueCapacityBytes = queue.Capacity,
                QueueRequests = queue.Waiting,
                OldestQueued = queue.OldestAge,
                InFlight = Volatile.Read(ref _inFlight),
                WaitingForRetry = Volatile.Read(ref _waitingForRetry),
                SentRequests = Volatile.Read(ref _sentRequests),
                SentTraces = Volatile.Read(ref _sentTraces),
                SentSpans = Volatile.Read(ref _sentSpans),
                SentBytes = Volatile.Read(ref _sentBytes),
                SentWireBytes = Volatile.Read(ref _sentWireBytes),
                FailedAttempts = new Dictionary<string, long>(_failed),
                Retries = Volatile.Read(ref _retries),
                RejectedTraces = Volatile.Read(ref _rejectedTraces),
                RejectedSpans = Volatile.Read(ref _rejectedSpans),
                GivenUpTraces = Volatile.Read(ref _givenUpTraces),
                GivenUpSpans = Volatile.Read(ref _givenUpSpans),
                UnsentTraces = UnsentTraces,
                UnsentSpans = UnsentSpans,
                LastError = _lastError,
                LastErrorAt = _lastError is null ? null : _lastErrorAt,
                LastSuccessAt = _lastSuccessAt,
            };
        }
    }
}
