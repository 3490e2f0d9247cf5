using System.Threading.Channels;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Exporters.Sending;

/// <summary>
/// The queue before an exporter's senders, counted in bytes, and the batching of what waits in it. Bytes count from
/// <see cref="Enqueue"/> until <see cref="Settle"/>, so what is being sent or waits for another attempt counts too: the bound is one
/// of memory. Any number of threads may enqueue and settle; one loop takes.
/// </summary>
internal sealed class SendingQueue : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<Entry> _entries = new();
    private readonly TimeProvider _time;
    private readonly ITimer _flushTimer;
    private readonly TimeSpan _flushTimeout;
    private readonly long _minBytes;
    private readonly long _maxBytes;
    private long _waitingBytes;
    private long _heldBytes;
    private bool _completed;

    // Wakes the one loop that takes. One slot: being woken twice is being woken once.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>A queue that calls itself full at <paramref name="capacity"/> bytes.</summary>
    public SendingQueue(long capacity, BatchOptions batch, TimeProvider time)
    {
        Capacity = Math.Max(capacity, 1);
        _time = time;
        _flushTimeout = batch.Timeout;
        _maxBytes = batch.MaxBytes > 0 ? batch.MaxBytes : long.MaxValue;
        _minBytes = Math.Min(batch.MinBytes, _maxBytes);
        _flushTimer = time.CreateTimer(
            static queue => ((SendingQueue)queue!).Wake(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Bytes at which it is full.</summary>
    public long Capacity { get; }

    /// <summary>Bytes held: waiting, being sent, or waiting for another attempt.</summary>
    public long HeldBytes => Volatile.Read(ref _heldBytes);

    /// <summary>False when full. One volatile read.</summary>
    public bool HasRoom => Volatile.Read(ref _heldBytes) < Capacity;

    /// <summary>Requests (<see cref="KeptTraces"/>) that no sender has taken yet.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>How long the oldest of them has been waiting; zero when there is none.</summary>
    public TimeSpan OldestAge
    {
        get
        {
            lock (_gate)
            {
                return _entries.TryPeek(out Entry oldest) ? _time.GetElapsedTime(oldest.Since) : TimeSpan.Zero;
            }
        }
    }

    /// <summary>Takes over one reference. Never waits, and takes more than <see cref="Capacity"/> if it must.</summary>
    /// <returns>False after <see cref="Complete"/>: the reference stays with the caller.</returns>
    public bool Enqueue(KeptTraces traces)
    {
        bool wake;
        lock (_gate)
        {
            if (_completed)
            {
                return false;
            }

            // The loop has to look twice: when there is a first one, whose time begins, and when there is enough.
            long before = _waitingBytes;
            _entries.Enqueue(new Entry(traces, _time.GetTimestamp()));
            _waitingBytes = before + traces.Bytes;
            Interlocked.Add(ref _heldBytes, traces.Bytes);
            wake = _entries.Count == 1 || (before < _minBytes && _waitingBytes >= _minBytes);
        }

        if (wake)
        {
            Wake();
        }

        return true;
    }

    /// <summary>Gives back room after a batch, or a part of one, has left for good.</summary>
    public void Settle(long bytes) => Interlocked.Add(ref _heldBytes, -bytes);

    /// <summary>No more comes in; what waits is handed out without waiting for more.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _completed = true;
        }

        Wake();
    }

    /// <summary>
    /// The next batch: as soon as there are <see cref="BatchOptions.MinBytes"/>, or the oldest has waited
    /// <see cref="BatchOptions.Timeout"/>. Null when completed and empty. One caller at a time.
    /// </summary>
    public async ValueTask<ExportBatch?> TakeAsync()
    {
        while (true)
        {
            if (TryCut(out ExportBatch? batch))
            {
                return batch;
            }

            await _wake.Reader.ReadAsync();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _flushTimer.Dispose();

    private bool TryCut(out ExportBatch? batch)
    {
        batch = null;
        lock (_gate)
        {
            if (!_entries.TryPeek(out Entry oldest))
            {
                return _completed;
            }

            TimeSpan left = _flushTimeout - _time.GetElapsedTime(oldest.Since);
            if (_waitingBytes < _minBytes && left > TimeSpan.Zero && !_completed)
            {
                // A whole millisecond more: timers count in those, and one that fires early would only be set again.
                _flushTimer.Change(left + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
                return false;
            }

            batch = Cut();
            return true;
        }
    }

    private ExportBatch Cut()
    {
        int count = 0;
        long bytes = 0;
        foreach (Entry entry in _entries)
        {
            if (count > 0 && bytes + entry.Traces.Bytes > _maxBytes)
            {
                break;
            }

            bytes += entry.Traces.Bytes;
            count++;
        }

        TraceRun[] runs = new TraceRun[count];
        for (int i = 0; i < count; i++)
        {
            runs[i] = TraceRun.Whole(_entries.Dequeue().Traces);
        }

        _waitingBytes -= bytes;
        return new ExportBatch(runs);
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private readonly record struct Entry(KeptTraces Traces, long Since);
}
