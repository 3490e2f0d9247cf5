using System.Collections.Concurrent;
using System.Diagnostics;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>Finds out when every shard serves: when a request with a span for each is acknowledged. One for each cluster.</summary>
/// <param name="shards">How many shards the cluster has.</param>
internal sealed class ServingProbe(int shards)
{
    /// <summary>Longest wait for one answer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Between one request and the next.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentQueue<SentSpan> _spans = new();
    private readonly ConcurrentQueue<string> _answers = new();
    private ulong _trace = 1UL << 40;

    /// <summary>Everything that was sent; there is nothing to keep in it.</summary>
    public IReadOnlyCollection<SentSpan> Spans => _spans;

    /// <summary>
    /// Sends such requests, each of new traces, one after the other to these gateways, until one is acknowledged. Returns the
    /// <see cref="Stopwatch"/> time of that. Used by one caller at a time.
    /// </summary>
    public async Task<long> AllServeAsync(params IReadOnlyList<Gateway> gateways)
    {
        long start = Stopwatch.GetTimestamp();
        using CancellationTokenSource found = new();
        TaskCompletionSource<long> served = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<Task> attempts = [];
        for (int turn = 0; !served.Task.IsCompleted && Stopwatch.GetElapsedTime(start) < Eventually.Deadline; turn++)
        {
            OtlpSender sender = gateways[turn % gateways.Count].Sender(overGrpc: true);
            ExportTraceServiceRequest request = OneSpanForEachShard();
            attempts.Add(Task.Run(() => TryAsync(sender, request, served, found.Token)));
            await Task.WhenAny(served.Task, Task.Delay(Interval));
        }

        await found.CancelAsync();
        await Task.WhenAll(attempts);
        Assert.True(served.Task.IsCompleted, $"not all shards serve; the last answers: {string.Join("; ", _answers.TakeLast(5))}");
        return await served.Task;
    }

    private async Task TryAsync(
        OtlpSender sender, ExportTraceServiceRequest request, TaskCompletionSource<long> served, CancellationToken cancellationToken)
    {
        SentSpan[] spans = [.. Delivery.Of(request).Select(span => new SentSpan(Fate.NotKept, span) { Attempts = 1 })];
        foreach (SentSpan span in spans)
        {
            _spans.Enqueue(span);
        }

        try
        {
            OtlpAnswer answer = await sender.TrySendAsync(request.ToByteArray(), Patience, cancellationToken);
            _answers.Enqueue(answer.ToString());
            if (answer.Accepted)
            {
                long now = Stopwatch.GetTimestamp();
                foreach (SentSpan span in spans)
                {
                    span.Acknowledged = now;
                }

                served.TrySetResult(now);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            _answers.Enqueue(exception.Message);
        }
    }

    private ExportTraceServiceRequest OneSpanForEachShard()
    {
        TraceBuilder builder = new();
        HashSet<int> seen = [];
        while (seen.Count < shards)
        {
            _trace++;
            if (seen.Add(TraceBuilder.TraceId(_trace).Shard(shards)))
            {
                builder.Span(_trace, 1);
            }
        }

        return builder.Build();
    }
}
