using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Node.Tests.Exporters;

public sealed class SendingExporterTests : IAsyncDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly ScriptedClient _client = new();
    private readonly RecordingLogger<SendingExporter> _logger = new();
    private readonly List<SendingExporter> _made = [];

    public async ValueTask DisposeAsync()
    {
        foreach (SendingExporter exporter in _made)
        {
            await exporter.DisposeAsync();
        }
    }

    [Fact]
    public async Task Enqueue_Accepted_CountsAndReturnsTheMemory()
    {
        SendingExporter exporter = Exporter();
        KeptTraces kept = Kept.Traces(1, 2);
        int bytes = kept.Bytes;
        exporter.Enqueue(kept);

        (await _client.NextAsync()).Answer(new ExportOutcome(ExportVerdict.Accepted, WireBytes: 7));

        await Eventually.TrueAsync(() => Kept.IsReturned(kept), "memory returned");
        await Eventually.TrueAsync(() => exporter.Status.InFlight == 0, "sender free");
        ExporterStatus status = exporter.Status;
        Assert.Equal(ExporterState.Ok, status.State);
        Assert.Equal((1, 2, 4), (status.SentRequests, status.SentTraces, status.SentSpans));
        Assert.Equal((bytes, 7), (status.SentBytes, status.SentWireBytes));
        Assert.Equal((0, 0), (status.QueueBytes, status.QueueRequests));
        Assert.Equal(_time.GetUtcNow(), status.LastSuccessAt);
        Assert.Null(status.LastError);
        Assert.Throws<ObjectDisposedException>(kept.Release);
    }

    [Fact]
    public async Task Enqueue_TemporaryFailure_SendsTheSameWholeBatchAgainAfterTheDelay()
    {
        SendingExporter exporter = Exporter(consumers: 1);
        exporter.Enqueue(Kept.Traces(1, 2));

        (await _client.NextAsync()).Fail();
        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(5));
        ExporterStatus status = exporter.Status;
        Assert.Equal(ExporterState.Retrying, status.State);
        Assert.Equal("unavailable: down", status.LastError);
        Assert.Equal(1, status.FailedAttempts["unavailable"]);

        _time.Advance(TimeSpan.FromSeconds(4.999));
        Assert.Equal(1, _client.Attempts);
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Attempt second = await _client.NextAsync();
        Assert.Equal([1UL, 2UL], second.Numbers);

        second.Fail();
        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(7.5));
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(ExporterState.Failing, exporter.Status.State);
        (await _client.NextAsync()).Accept();

        await Eventually.TrueAsync(() => exporter.Status.SentTraces == 2, "sent");
        Assert.Equal(ExporterState.Ok, exporter.Status.State);
        Assert.Equal(2, exporter.Status.Retries);
    }

    [Fact]
    public async Task Enqueue_ReceiverAsksToWait_WaitsThatLong()
    {
        SendingExporter exporter = Exporter();
        exporter.Enqueue(Kept.Traces(1));

        (await _client.NextAsync()).Fail(TimeSpan.FromSeconds(42));

        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(42));
    }

    [Fact]
    public async Task Enqueue_MaxElapsedTimePasses_GivesUpAndCounts()
    {
        SendingExporter exporter = Exporter(retry: new RetryOptions { MaxElapsedTime = TimeSpan.FromSeconds(6) });
        KeptTraces kept = Kept.Traces(1, 2);
        exporter.Enqueue(kept);

        (await _client.NextAsync()).Fail();
        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(5));
        (await _client.NextAsync()).Fail();

        await Eventually.TrueAsync(() => exporter.Status.GivenUpTraces == 2, "given up");
        Assert.Equal(4, exporter.Status.GivenUpSpans);
        await Eventually.TrueAsync(() => Kept.IsReturned(kept) && exporter.Status.QueueBytes == 0, "memory returned");
    }

    [Fact]
    public async Task Enqueue_OneTraceIsPoison_OnlyThatOneIsLost()
    {
        SendingExporter exporter = Exporter(minBytes: 1 << 20, consumers: 1);
        KeptTraces[] kept = [Kept.Traces(1, 2, 3), Kept.Traces(4, 5, 6, 7), Kept.Traces(8, 9)];
        foreach (KeptTraces traces in kept)
        {
            exporter.Enqueue(traces);
        }

        List<ulong> arrived = [];
        using CancellationTokenSource end = new();
        Task answering = _client.AnswerAllAsync(
            attempt =>
            {
                if (attempt.Numbers.Contains(6UL))
                {
                    return new ExportOutcome(ExportVerdict.RejectedContent, "invalid_argument", "bad span");
                }

                arrived.AddRange(attempt.Numbers);
                return new ExportOutcome(ExportVerdict.Accepted);
            },
            end.Token);
        await exporter.DrainAsync(CancellationToken.None);
        await end.CancelAsync();
        await answering;

        Assert.Equal([1UL, 2UL, 3UL, 4UL, 5UL, 7UL, 8UL, 9UL], arrived);
        Assert.Equal((1, 2), (exporter.Status.RejectedTraces, exporter.Status.RejectedSpans));
        Assert.Equal((8, 16), (exporter.Status.SentTraces, exporter.Status.SentSpans));
        Assert.Equal(0, exporter.Status.QueueBytes);
        Assert.All(kept, traces => Assert.True(Kept.IsReturned(traces)));
        Assert.All(kept, traces => Assert.Throws<ObjectDisposedException>(traces.Release));
    }

    [Fact]
    public async Task Enqueue_EverythingIsRefused_StopsCuttingAfterAWhile()
    {
        SendingExporter exporter = Exporter(consumers: 1);
        KeptTraces kept = Kept.Traces([.. Enumerable.Range(1, 500).Select(number => (ulong)number)]);
        exporter.Enqueue(kept);

        using CancellationTokenSource end = new();
        Task answering = _client.AnswerAllAsync(_ => new ExportOutcome(ExportVerdict.RejectedContent, "internal", "no"), end.Token);
        await exporter.DrainAsync(CancellationToken.None);
        await end.CancelAsync();
        await answering;

        Assert.Equal(500, exporter.Status.RejectedTraces);
        Assert.InRange(_client.Attempts, BatchSender.MaxRejectionsInARow, BatchSender.MaxRejectionsInARow + 12);
        Assert.True(Kept.IsReturned(kept));
    }

    [Fact]
    public async Task Enqueue_WrongCredentials_RefusesTheBatchWithOneAttempt()
    {
        SendingExporter exporter = Exporter();
        exporter.Enqueue(Kept.Traces(1, 2, 3));

        (await _client.NextAsync()).Answer(new ExportOutcome(ExportVerdict.Rejected, "unauthenticated", "who?"));

        await Eventually.TrueAsync(() => exporter.Status.RejectedTraces == 3 && exporter.Status.QueueBytes == 0, "refused");
        Assert.Equal(1, _client.Attempts);
        Assert.Equal(ExporterState.Failing, exporter.Status.State);
    }

    [Fact]
    public async Task Enqueue_PartialSuccess_CountsRefusedSpansAndDoesNotRepeat()
    {
        SendingExporter exporter = Exporter();
        exporter.Enqueue(Kept.Traces(1, 2, 3));

        (await _client.NextAsync()).Answer(new ExportOutcome(ExportVerdict.Accepted, Message: "one was odd", RejectedSpans: 1));

        await Eventually.TrueAsync(() => exporter.Status.SentRequests == 1, "sent");
        Assert.Equal((5, 1), (exporter.Status.SentSpans, exporter.Status.RejectedSpans));
        Assert.Equal("one was odd", exporter.Status.LastError);
        Assert.Equal(1, _client.Attempts);
    }

    [Fact]
    public async Task Enqueue_LargerThanMaxBytes_IsCutBetweenTracesBeforeItIsSent()
    {
        KeptTraces kept = Kept.Traces(1, 2, 3, 4);
        SendingExporter exporter = Exporter(consumers: 1, maxBytes: kept.Bytes / 2 + 1);
        exporter.Enqueue(kept);

        Attempt first = await _client.NextAsync();
        first.Accept();
        Attempt second = await _client.NextAsync();
        second.Accept();

        Assert.Equal([1UL, 2UL], first.Numbers);
        Assert.Equal([3UL, 4UL], second.Numbers);
        await Eventually.TrueAsync(() => Kept.IsReturned(kept), "memory returned");
    }

    [Fact]
    public async Task Enqueue_NoAnswerWithinTheTimeout_TriesAgain()
    {
        SendingExporter exporter = Exporter(timeout: TimeSpan.FromSeconds(3));
        exporter.Enqueue(Kept.Traces(1));
        await _client.NextAsync();

        _time.Advance(TimeSpan.FromSeconds(3));

        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(5));
        Assert.Equal(1, exporter.Status.FailedAttempts["timeout"]);
        _time.Advance(TimeSpan.FromSeconds(5));
        (await _client.NextAsync()).Accept();
        await Eventually.TrueAsync(() => exporter.Status.SentTraces == 1, "sent");
    }

    [Fact]
    public async Task DrainAsync_BatchesWaitForMore_SendsThemAtOnce()
    {
        SendingExporter exporter = Exporter(minBytes: 1 << 20);
        exporter.Enqueue(Kept.Traces(1));
        exporter.Enqueue(Kept.Traces(2));

        Task<DrainLeft?> draining = exporter.DrainAsync(CancellationToken.None);
        Attempt attempt = await _client.NextAsync();
        Assert.Equal([1UL, 2UL], attempt.Numbers);
        attempt.Accept();

        Assert.Null(await draining);
    }

    [Fact]
    public async Task DrainAsync_BatchWaitsForARetry_TriesAtOnceAndThenEverySecond()
    {
        SendingExporter exporter = Exporter(consumers: 1);
        exporter.Enqueue(Kept.Traces(1));
        (await _client.NextAsync()).Fail(TimeSpan.FromMinutes(9));
        await WaitingForRetryAsync(exporter, TimeSpan.FromMinutes(9));

        Task<DrainLeft?> draining = exporter.DrainAsync(CancellationToken.None);
        (await _client.NextAsync()).Fail();
        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        (await _client.NextAsync()).Accept();

        Assert.Null(await draining);
        Assert.Equal(1, exporter.Status.SentTraces);
    }

    [Fact]
    public async Task DrainAsync_BeginsWhileADelayIsChosen_DoesNotSitItOut()
    {
        Task<DrainLeft?>? draining = null;
        SendingExporter exporter = null!;
        exporter = Exporter(random: () =>
        {
            draining ??= exporter.DrainAsync(CancellationToken.None);
            return 0.5;
        });
        exporter.Enqueue(Kept.Traces(1));

        (await _client.NextAsync()).Fail();
        (await _client.NextAsync()).Accept();

        Assert.Null(await draining!);
    }

    [Fact]
    public async Task DrainAsync_DeadlinePasses_ReportsAndReleasesWhatIsLeft()
    {
        SendingExporter exporter = Exporter(consumers: 1);
        KeptTraces[] kept = [Kept.Traces(1, 2), Kept.Traces(3), Kept.Traces(4)];
        exporter.Enqueue(kept[0]);
        (await _client.NextAsync()).Fail();
        await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(5));
        exporter.Enqueue(kept[1]);
        exporter.Enqueue(kept[2]);

        using CancellationTokenSource deadline = new();
        Task<DrainLeft?> draining = exporter.DrainAsync(deadline.Token);
        await _client.NextAsync();
        await deadline.CancelAsync();

        Assert.Equal(new DrainLeft("otlp", 4, 8), await draining);
        Assert.All(kept, traces => Assert.True(Kept.IsReturned(traces)));
        Assert.Equal(0, exporter.Status.QueueBytes);
        Assert.Equal(0, exporter.Status.InFlight);
    }

    [Fact]
    public async Task Enqueue_AfterDrain_IsCountedAndReleased()
    {
        SendingExporter exporter = Exporter();
        await exporter.DrainAsync(CancellationToken.None);
        KeptTraces kept = Kept.Traces(1);

        exporter.Enqueue(kept);

        Assert.Equal((1, 2), (exporter.Status.UnsentTraces, exporter.Status.UnsentSpans));
        Assert.True(Kept.IsReturned(kept));
    }

    [Fact]
    public async Task DisposeAsync_AttemptUnderWay_EndsItAndDisposesTheClient()
    {
        SendingExporter exporter = Exporter();
        KeptTraces kept = Kept.Traces(1);
        exporter.Enqueue(kept);
        await _client.NextAsync();

        await exporter.DisposeAsync();

        Assert.True(_client.Disposed);
        Assert.True(Kept.IsReturned(kept));
        Assert.Equal(1, exporter.Status.UnsentTraces);
    }

    [Fact]
    public async Task Enqueue_ReceiverThatFailsEverySecondTime_IsLoggedOnce()
    {
        SendingExporter exporter = Exporter(consumers: 1);
        for (ulong number = 1; number <= 20; number++)
        {
            exporter.Enqueue(Kept.Traces(number));
            (await _client.NextAsync()).Fail(TimeSpan.Zero);
            await WaitingForRetryAsync(exporter, TimeSpan.FromSeconds(5));
            _time.Advance(TimeSpan.FromSeconds(5));
            (await _client.NextAsync()).Accept();
            await Eventually.TrueAsync(() => exporter.Status.SentTraces == (long)number, "sent");
        }

        // 100 seconds: the first failure, and one after every 30 seconds.
        Assert.Equal(4, _logger.Count(3001));
        Assert.Equal(4, _logger.Count(3002));
    }

    [Fact]
    public async Task Enqueue_ManyRefusals_AreLoggedOnceInTenSeconds()
    {
        SendingExporter exporter = Exporter(consumers: 1);
        for (ulong number = 1; number <= 5; number++)
        {
            exporter.Enqueue(Kept.Traces(number));
            (await _client.NextAsync()).Refuse();
            await Eventually.TrueAsync(() => exporter.Status.RejectedTraces == (long)number, "refused");
        }

        Assert.Equal(1, _logger.Count(3003));
        Assert.Equal(0, _logger.Count(3001));
    }

    private async Task WaitingForRetryAsync(SendingExporter exporter, TimeSpan delay)
    {
        await Eventually.TrueAsync(
            () => exporter.Status.WaitingForRetry == 1 && _time.UntilNextTimer == delay, $"a retry in {delay}");
    }

    private SendingExporter Exporter(
        int consumers = 4, int minBytes = 1, int maxBytes = 2 << 20, RetryOptions? retry = null, TimeSpan timeout = default,
        Func<double>? random = null)
    {
        SendingExporterParts parts = new()
        {
            Id = "otlp",
            Type = "otlp",
            Endpoint = "http://back-end:4317",
            Client = _client,
            Queue = new SendingQueueOptions { Bytes = 1 << 20, Consumers = consumers },
            Batch = new BatchOptions { MinBytes = minBytes, MaxBytes = maxBytes },
            Retry = retry ?? new RetryOptions(),
            Timeout = timeout,
        };
        SendingExporter exporter = new(parts, _time, random ?? (() => 0.5), _logger);
        _made.Add(exporter);
        return exporter;
    }
}
