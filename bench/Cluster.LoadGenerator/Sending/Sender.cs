using System.Diagnostics;
using System.Net.Sockets;

namespace Cluster.LoadGenerator.Sending;

/// <summary>What one sender did. Written by its thread; counters may be read by others at any time.</summary>
internal sealed class SenderCounters
{
    /// <summary>Spans in acknowledged requests.</summary>
    public long AcceptedSpans;

    /// <summary>Acknowledged requests.</summary>
    public long AcceptedRequests;

    /// <summary>Spans that acknowledged requests had rejected.</summary>
    public long RejectedSpans;

    /// <summary>Refusals, all of them followed by another attempt.</summary>
    public long Refused;

    /// <summary>Requests given up.</summary>
    public long Failed;

    /// <summary>Lost connections; what was in flight on them was sent again and may have arrived twice.</summary>
    public long LostConnections;

    /// <summary>Farthest behind its due time that a request was first sent, <see cref="Stopwatch"/> ticks; measured window only.</summary>
    public long MaxLag;

    /// <summary>From the start of sending to the acknowledgement, measured window only.</summary>
    public LatencyHistogram Acknowledgement { get; } = new();

    /// <summary>From the due time to the acknowledgement, measured window of an open loop only.</summary>
    public LatencyHistogram SinceDue { get; } = new();

    /// <summary>The latest refusal or failure, in the receiver's words.</summary>
    public string? LastReason { get; set; }
}

/// <summary>
/// Drives one connection: takes requests from the schedule when they are due and the connection has room, sends refused ones again when the
/// receiver wants them, connects again when the connection is lost.
/// </summary>
/// <param name="schedule">Where requests come from.</param>
/// <param name="connect">Opens a connection that reports to the given callback.</param>
/// <param name="measuredFrom">Latencies count from then on, <see cref="Stopwatch"/> time; in the future while they do not.</param>
internal sealed class Sender(
    RequestSchedule schedule, Func<Action<Attempt, ExportOutcome>, Connection> connect, Func<long> measuredFrom)
{
    private const int MaxTries = 60;

    private readonly PriorityQueue<Attempt, long> _retries = new();
    private ScheduledRequest? _reserved;
    private bool _exhausted;

    /// <summary>What happened so far.</summary>
    public SenderCounters Counters { get; } = new();

    /// <summary>Sends until the schedule is over and everything is answered.</summary>
    public void Run()
    {
        while (!IsDone)
        {
            Connection? connection = null;
            try
            {
                connection = connect(Completed);
                RunConnection(connection);
            }
            catch (Exception e) when (e is SocketException or InvalidDataException)
            {
                Counters.LostConnections++;
                Counters.LastReason = e.Message;
                foreach (Attempt attempt in connection?.Abandoned() ?? [])
                {
                    Retry(attempt, TimeSpan.Zero);
                }

                Thread.Sleep(200);
                if (connection is null && Counters.LostConnections > MaxTries)
                {
                    throw;
                }
            }
            finally
            {
                connection?.Dispose();
            }
        }
    }

    private bool IsDone => _exhausted && _reserved is null && _retries.Count == 0;

    private void RunConnection(Connection connection)
    {
        while (connection.InFlight > 0 || (connection.IsUsable && !IsDone))
        {
            TimeSpan wait = Timeout.InfiniteTimeSpan;
            while (connection.IsUsable && connection.InFlight < connection.Capacity && TryNext(out Attempt attempt, out wait))
            {
                connection.Send(attempt);
                wait = Timeout.InfiniteTimeSpan;
            }

            // With nothing else to wait for, reading waits by itself.
            if (wait == Timeout.InfiniteTimeSpan)
            {
                if (connection.InFlight > 0)
                {
                    connection.Receive();
                }
            }
            else if (connection.Wait(wait))
            {
                connection.Receive();
            }
        }
    }

    /// <summary>The next attempt if one is due; otherwise how long until one is, infinite when none is known.</summary>
    private bool TryNext(out Attempt attempt, out TimeSpan wait)
    {
        long now = Stopwatch.GetTimestamp();
        long nextDue = long.MaxValue;
        if (_retries.TryPeek(out attempt, out long retryDue))
        {
            if (retryDue <= now)
            {
                _retries.Dequeue();
                attempt = attempt with { SentTimestamp = now };
                wait = TimeSpan.Zero;
                return true;
            }

            nextDue = retryDue;
        }

        // A request is reserved ahead of its due time, so that one sender waits for it and not all of them.
        if (_reserved is null && !_exhausted)
        {
            _reserved = schedule.TryTake(out ScheduledRequest taken) ? taken : null;
            _exhausted = _reserved is null;
        }

        if (_reserved is { } request)
        {
            if (request.DueTimestamp <= now)
            {
                _reserved = null;
                if (request.DueTimestamp >= measuredFrom())
                {
                    Counters.MaxLag = Math.Max(Counters.MaxLag, now - request.DueTimestamp);
                }

                attempt = new Attempt(request, 0, now);
                wait = TimeSpan.Zero;
                return true;
            }

            nextDue = Math.Min(nextDue, request.DueTimestamp);
        }

        wait = nextDue == long.MaxValue ? Timeout.InfiniteTimeSpan : Stopwatch.GetElapsedTime(now, nextDue);
        return false;
    }

    private void Completed(Attempt attempt, ExportOutcome outcome)
    {
        switch (outcome.Kind)
        {
            case OutcomeKind.Accepted:
                Counters.AcceptedRequests++;
                Counters.AcceptedSpans += attempt.Request.SpanCount - outcome.RejectedSpans;
                Counters.RejectedSpans += outcome.RejectedSpans;
                RecordLatency(attempt);
                return;
            case OutcomeKind.Refused when attempt.Tries < MaxTries:
                Counters.Refused++;
                TimeSpan backOff = TimeSpan.FromMilliseconds(Math.Min(5000, 100 << Math.Min(attempt.Tries, 6)));
                Retry(attempt, outcome.RetryAfter ?? backOff);
                break;
            default:
                Counters.Failed++;
                break;
        }

        Counters.LastReason = outcome.Reason;
    }

    private void Retry(Attempt attempt, TimeSpan after) =>
        _retries.Enqueue(
            attempt with { Tries = attempt.Tries + 1 },
            Stopwatch.GetTimestamp() + (long)(after.TotalSeconds * Stopwatch.Frequency));

    private void RecordLatency(in Attempt attempt)
    {
        long from = measuredFrom();
        if (attempt.SentTimestamp >= from)
        {
            Counters.Acknowledgement.Record(Stopwatch.GetElapsedTime(attempt.SentTimestamp));
        }

        if (attempt.Request.DueTimestamp >= from)
        {
            Counters.SinceDue.Record(Stopwatch.GetElapsedTime(attempt.Request.DueTimestamp));
        }
    }
}
