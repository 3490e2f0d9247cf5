using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>An attempt that was not acknowledged.</summary>
/// <param name="At"><see cref="Stopwatch"/> time of its end.</param>
/// <param name="Gateway">Which node was asked.</param>
/// <param name="Refused">True when it said no; false when there was no answer.</param>
/// <param name="Why">What it said.</param>
internal readonly record struct Unacknowledged(long At, string Gateway, bool Refused, string Why);

/// <summary>An attempt that was acknowledged.</summary>
/// <param name="At"><see cref="Stopwatch"/> time.</param>
/// <param name="Gateway">Which node said so.</param>
/// <param name="Milliseconds">From sending to the answer, of this attempt alone.</param>
internal readonly record struct Acknowledgement(long At, string Gateway, double Milliseconds);

/// <summary>
/// A load that knows the truth. Traces of four spans, and some of a fifth that comes after the decision; each span goes to another gateway than
/// the one before it. What is refused or not answered is sent again, to the next gateway, with a back-off that grows, until it is acknowledged.
/// Spans go out at a steady rate, whether or not earlier ones were answered.
/// </summary>
internal sealed class TraceLoad : IDisposable
{
    private const int TracesTogether = 3;
    private const int Parts = 4;
    private const int LatePart = 5;

    /// <summary>Longest wait for an answer; SDKs have the same default.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan BetweenParts = TimeSpan.FromMilliseconds(100);

    private readonly TimeSpan _untilLate;
    private readonly double _spansPerSecond;
    private readonly Random _random = new(1);
    private readonly ConcurrentQueue<SentSpan> _spans = new();
    private readonly ConcurrentQueue<Acknowledgement> _acknowledgements = new();
    private readonly ConcurrentQueue<Unacknowledged> _unacknowledged = new();
    private readonly ConcurrentQueue<string> _problems = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _giveUp = new();
    private Gateway[] _gateways;
    private Task _running = Task.CompletedTask;
    private long _traces;

    /// <param name="gateways">Where to send to; disposed of by their owner.</param>
    /// <param name="decisionWait">The nodes' <c>decision_wait</c>: late spans come a second after it.</param>
    /// <param name="spansPerSecond">Spans a second, about.</param>
    public TraceLoad(IEnumerable<Gateway> gateways, TimeSpan decisionWait, double spansPerSecond)
    {
        _gateways = [.. gateways];
        _untilLate = decisionWait + TimeSpan.FromSeconds(1);
        _spansPerSecond = spansPerSecond;
    }

    /// <summary>Everything that was sent.</summary>
    public IReadOnlyCollection<SentSpan> Spans => _spans;

    /// <summary>Every yes.</summary>
    public IReadOnlyCollection<Acknowledgement> Acknowledgements => _acknowledgements;

    /// <summary>Every attempt without a yes.</summary>
    public IReadOnlyCollection<Unacknowledged> Unacknowledged => _unacknowledged;

    /// <summary>Gateways that are asked from now on.</summary>
    public void Use(IEnumerable<Gateway> gateways) => Volatile.Write(ref _gateways, [.. gateways]);

    /// <summary>Begins.</summary>
    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Ends: begins no more traces, and waits until all that was begun is acknowledged.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        _giveUp.CancelAfter(Eventually.Deadline);
        await _running;
        Assert.Empty(_problems);
        Assert.True(
            _spans.All(span => span.Acknowledged != 0),
            $"{_spans.Count(span => span.Acknowledged == 0)} of {_spans.Count} spans were never acknowledged; the last attempts: "
            + string.Join("; ", _unacknowledged.TakeLast(5)));
    }

    /// <summary>Waits until this many more spans are acknowledged.</summary>
    public async Task FlowsAsync(int spans = 200)
    {
        int before = _spans.Count(span => span.Acknowledged != 0);
        await Eventually.HoldsAsync(
            () => _spans.Count(span => span.Acknowledged != 0) >= before + spans,
            () => $"{spans} more spans are acknowledged; the last attempts: {string.Join("; ", _unacknowledged.TakeLast(5))}");
    }

    /// <summary>Milliseconds from sending to acknowledgement that this share of those between two times did not exceed.</summary>
    public double Latency(double share, long from, long to)
    {
        double[] sorted = [.. _acknowledgements.Where(yes => yes.At >= from && yes.At <= to).Select(yes => yes.Milliseconds).Order()];
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _giveUp.Cancel();
        _stop.Dispose();
        _giveUp.Dispose();
    }

    private async Task RunAsync()
    {
        List<Task> flows = [];
        long start = Stopwatch.GetTimestamp();
        TimeSpan step = TimeSpan.FromSeconds(TracesTogether * (Parts + 0.25) / _spansPerSecond);
        for (int turn = 0; !_stop.IsCancellationRequested; turn++)
        {
            ulong first = (ulong)Interlocked.Add(ref _traces, TracesTogether) - TracesTogether + 1;
            int group = turn;
            flows.Add(Task.Run(() => SendTracesAsync(first, group)));
            TimeSpan wait = (step * (turn + 1)) - Stopwatch.GetElapsedTime(start);
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        await Task.WhenAll(flows);
    }

    /// <summary>One trace of each fate, together.</summary>
    private async Task SendTracesAsync(ulong first, int turn)
    {
        await SendPartAsync(first, 1, turn);
        List<Task> parts = [];
        for (int part = 2; part <= Parts; part++)
        {
            await Task.Delay(BetweenParts);
            parts.Add(SendPartAsync(first, part, turn + part - 1));
        }

        if (turn % 4 == 0)
        {
            await Task.Delay(_untilLate);
            parts.Add(SendPartAsync(first, LatePart, turn));
        }

        await Task.WhenAll(parts);
    }

    private async Task SendPartAsync(ulong first, int part, int turn)
    {
        TraceBuilder builder = new TraceBuilder().Resource($"service-{part}").Scope("library", "1.0");
        for (ulong trace = first; trace < first + TracesTogether; trace++)
        {
            builder.Span(trace, (ulong)part, (ulong)part - 1, $"operation {part}").With("trace.number", (long)trace);
            _ = (FateOf(trace), part) is (Fate.Kept, 1) or (Fate.Either, Parts) ? builder.Error() : builder;
        }

        ExportTraceServiceRequest request = builder.Build();
        SentSpan[] spans = [.. Delivery.Of(request).Select((span, index) => new SentSpan(FateOf(first + (ulong)index), span))];
        byte[] message = request.ToByteArray();
        foreach (SentSpan span in spans)
        {
            _spans.Enqueue(span);
        }

        TimeSpan backOff = FirstBackOff;
        for (int attempt = 0; !_giveUp.IsCancellationRequested; attempt++)
        {
            Gateway[] gateways = Volatile.Read(ref _gateways);
            if (await TrySendAsync(gateways[(turn + attempt) % gateways.Length], overGrpc: (turn + part) % 2 == 0, message, spans))
            {
                return;
            }

            await Task.Delay(backOff * Jitter(), _giveUp.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            backOff = TimeSpan.FromTicks(Math.Min(LongestBackOff.Ticks, backOff.Ticks * 3 / 2));
        }
    }

    private async Task<bool> TrySendAsync(Gateway gateway, bool overGrpc, byte[] message, SentSpan[] spans)
    {
        foreach (SentSpan span in spans)
        {
            span.Attempts++;
        }

        long sent = Stopwatch.GetTimestamp();
        string why;
        bool refused = false;
        try
        {
            OtlpAnswer answer = await gateway.Sender(overGrpc).TrySendAsync(message, Patience, _giveUp.Token);
            if (answer.Accepted)
            {
                _acknowledgements.Enqueue(
                    new Acknowledgement(Stopwatch.GetTimestamp(), gateway.Name, Stopwatch.GetElapsedTime(sent).TotalMilliseconds));
                Acknowledge(spans);
                if (answer.RejectedSpans > 0)
                {
                    _problems.Enqueue($"{gateway.Name} rejected {answer.RejectedSpans} spans");
                }

                return true;
            }

            (refused, why) = (true, answer.ToString());
            if (!IsRetryable(answer))
            {
                _problems.Enqueue($"{gateway.Name} said what no client may answer with another attempt: {answer}");
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            why = exception.Message;
        }

        _unacknowledged.Enqueue(new Unacknowledged(Stopwatch.GetTimestamp(), gateway.Name, refused, why));
        return false;
    }

    private static Fate FateOf(ulong trace) => (Fate)(trace % 3);

    /// <summary>What the OTLP specification calls retryable.</summary>
    private static bool IsRetryable(OtlpAnswer answer) => answer.GrpcStatus is { } status
        ? status is 1 or 4 or 8 or 10 or 11 or 14 or 15
        : answer.HttpStatus is HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout;

    private static void Acknowledge(SentSpan[] spans)
    {
        long now = Stopwatch.GetTimestamp();
        foreach (SentSpan span in spans)
        {
            span.Acknowledged = now;
        }
    }

    private double Jitter()
    {
        lock (_random)
        {
            return 0.5 + _random.NextDouble();
        }
    }
}
