namespace Cluster.Node.Exporters.Sending;

/// <summary>Time, chance, and the two ways in which a sender's wait ends early.</summary>
/// <param name="Time">Clock.</param>
/// <param name="Random">Random numbers from 0 to 1.</param>
/// <param name="Drain">Cancelled when the process is ending: waits are cut short.</param>
/// <param name="Stop">Cancelled when it has to end now: what is left is left.</param>
internal sealed record SenderClock(TimeProvider Time, Func<double> Random, CancellationToken Drain, CancellationToken Stop);

/// <summary>
/// Brings one batch to its end: accepted, refused for good, given up, or left behind. Repeats it whole after temporary failures; cuts
/// it when it is too large or its content is refused, so that one trace a receiver cannot take does not take the others along. Thread-safe.
/// </summary>
internal sealed class BatchSender(
    SendingExporterParts parts,
    IExportClient client,
    SendingQueue queue,
    ExporterStatistics statistics,
    SenderClock clock,
    ILogger logger)
{
    /// <summary>
    /// Parts of one batch refused in a row after which the rest of it is refused whole: when it was not one trace's fault, asking for each
    /// would only be a flood. Twice the cuts it takes to find one trace among 65 536.
    /// </summary>
    internal const int MaxRejectionsInARow = 32;

    private readonly RetryOptions _drainRetry = RetryPolicy.ForDrain(parts.Retry);
    private readonly RateLimit _retryLog = new(clock.Time, TimeSpan.FromSeconds(30));
    private readonly RateLimit _rejectedLog = new(clock.Time, TimeSpan.FromSeconds(10));
    private readonly RateLimit _partialLog = new(clock.Time, TimeSpan.FromSeconds(10));
    private readonly RateLimit _givenUpLog = new(clock.Time, TimeSpan.FromSeconds(10));

    // Whether "cannot send" was the last thing said: a receiver that fails every second request must not fill the log.
    private int _failureLogged;

    /// <summary>Sends <paramref name="batch"/> and releases it, and its room in the queue, whatever happens.</summary>
    public async Task SendAsync(ExportBatch batch)
    {
        Stack<ExportBatch> left = new();
        left.Push(batch);
        int rejections = 0;
        while (left.TryPop(out ExportBatch? part))
        {
            bool cut = parts.Batch.MaxBytes > 0 && part.Bytes > parts.Batch.MaxBytes && TrySplit(part, left);
            if (!cut)
            {
                ExportOutcome outcome = await SendWithRetriesAsync(part);
                rejections = outcome.Verdict == ExportVerdict.RejectedContent ? rejections + 1 : 0;
                cut = rejections is > 0 and < MaxRejectionsInARow && TrySplit(part, left);
                if (!cut && outcome.Verdict is (ExportVerdict.RejectedContent or ExportVerdict.Rejected))
                {
                    Reject(part, outcome);
                }
            }

            if (!cut)
            {
                // What was cut leaves its room to its halves.
                queue.Settle(part.Bytes);
            }

            part.Release();
        }
    }

    private static bool TrySplit(ExportBatch part, Stack<ExportBatch> left)
    {
        if (!part.TrySplit(out ExportBatch first, out ExportBatch second))
        {
            return false;
        }

        left.Push(second);
        left.Push(first);
        return true;
    }

    /// <summary>
    /// The outcome that ended it. <see cref="ExportVerdict.Retry"/> when it was given up or left behind, which is counted here.
    /// </summary>
    private async Task<ExportOutcome> SendWithRetriesAsync(ExportBatch part)
    {
        long began = clock.Time.GetTimestamp();
        for (int attempt = 1; ; attempt++)
        {
            ExportOutcome outcome = await AttemptAsync(part);
            if (clock.Stop.IsCancellationRequested && outcome.Verdict == ExportVerdict.Retry)
            {
                statistics.Unsent(part.Traces, part.Spans);
                return outcome;
            }

            if (outcome.Verdict == ExportVerdict.Accepted)
            {
                Accept(part, outcome);
                return outcome;
            }

            statistics.Failed(outcome);
            LogFailure(outcome);
            if (outcome.Verdict != ExportVerdict.Retry)
            {
                return outcome;
            }

            bool draining = clock.Drain.IsCancellationRequested;
            RetryOptions retry = draining ? _drainRetry : parts.Retry;
            TimeSpan elapsed = clock.Time.GetElapsedTime(began);
            if (RetryPolicy.Next(retry, outcome, attempt, elapsed, clock.Random()) is not { } delay)
            {
                GiveUp(part, outcome, attempt, elapsed);
                return outcome;
            }

            await WaitAsync(delay, draining);
        }
    }

    private async Task<ExportOutcome> AttemptAsync(ExportBatch part)
    {
        if (clock.Stop.IsCancellationRequested)
        {
            return new ExportOutcome(ExportVerdict.Retry, "stopped");
        }

        try
        {
            return await client.SendAsync(part, clock.Stop);
        }
        catch (OperationCanceledException) when (clock.Stop.IsCancellationRequested)
        {
            return new ExportOutcome(ExportVerdict.Retry, "stopped");
        }
        catch (FormatException exception)
        {
            return new ExportOutcome(ExportVerdict.RejectedContent, "unreadable", exception.Message);
        }
        catch (Exception exception)
        {
            // A bug, but a kept trace is not lost for it.
            ExportEvents.AttemptCrashed(logger, exception, parts.Id);
            return new ExportOutcome(ExportVerdict.Retry, "unexpected", exception.Message);
        }
    }

    /// <summary>Waits; a drain that began after the delay was chosen ends the wait, one that was known then does not.</summary>
    private async Task WaitAsync(TimeSpan delay, bool draining)
    {
        statistics.BeginWait();
        using CancellationTokenSource wake = draining
            ? CancellationTokenSource.CreateLinkedTokenSource(clock.Stop)
            : CancellationTokenSource.CreateLinkedTokenSource(clock.Stop, clock.Drain);
        await Task.Delay(delay, clock.Time, wake.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        statistics.EndWait();
    }

    private void Accept(ExportBatch part, in ExportOutcome outcome)
    {
        TimeSpan? failedFor = statistics.Sent(part, outcome);
        if (Interlocked.Exchange(ref _failureLogged, 0) == 1)
        {
            ExportEvents.Recovered(logger, parts.Id, parts.Endpoint, failedFor.GetValueOrDefault().TotalSeconds);
        }

        if ((outcome.RejectedSpans > 0 || outcome.Message.Length > 0) && _partialLog.TryTake(out long times))
        {
            ExportEvents.PartlyAccepted(logger, parts.Id, parts.Endpoint, outcome.RejectedSpans, outcome.Message, times);
        }
    }

    private void LogFailure(in ExportOutcome outcome)
    {
        if (outcome.Verdict == ExportVerdict.Retry && _retryLog.TryTake(out long attempts))
        {
            Volatile.Write(ref _failureLogged, 1);
            ExportEvents.Retrying(logger, parts.Id, parts.Endpoint, outcome.Reason, outcome.Message, attempts);
        }
    }

    private void Reject(ExportBatch part, in ExportOutcome outcome)
    {
        statistics.Rejected(part);
        if (_rejectedLog.TryTake(out long times))
        {
            ExportEvents.Rejected(logger, parts.Id, parts.Endpoint, part.Traces, part.Spans, outcome.Reason, outcome.Message, times);
        }
    }

    private void GiveUp(ExportBatch part, in ExportOutcome outcome, int attempts, TimeSpan elapsed)
    {
        statistics.GivenUp(part);
        if (_givenUpLog.TryTake(out long times))
        {
            ExportEvents.GivenUp(
                logger, parts.Id, part.Traces, part.Spans, attempts, elapsed.TotalSeconds, outcome.Reason, outcome.Message, times);
        }
    }
}
