using System.Threading.Channels;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Tests.Exporters;

/// <summary>A client whose every attempt waits until the test says what comes of it.</summary>
internal sealed class ScriptedClient : IExportClient
{
    private readonly Channel<Attempt> _attempts = Channel.CreateUnbounded<Attempt>();

    public bool Disposed { get; private set; }

    public int Attempts { get; private set; }

    /// <summary>The next attempt, when it is made.</summary>
    public async Task<Attempt> NextAsync()
    {
        using CancellationTokenSource limit = new(Eventually.Limit);
        return await _attempts.Reader.ReadAsync(limit.Token);
    }

    /// <summary>Takes everything from now on as it comes.</summary>
    public async Task AnswerAllAsync(Func<Attempt, ExportOutcome> answer, CancellationToken until)
    {
        try
        {
            await foreach (Attempt attempt in _attempts.Reader.ReadAllAsync(until))
            {
                attempt.Answer(answer(attempt));
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    public async ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation)
    {
        List<byte> bytes = [];
        for (int i = 0; i < batch.Count; i++)
        {
            bytes.AddRange(batch[i].Bytes.Span);
        }

        Attempt attempt = new([.. bytes], batch.Traces, batch.Spans);
        Attempts++;
        await _attempts.Writer.WriteAsync(attempt, CancellationToken.None);
        return await attempt.Outcome.WaitAsync(cancellation);
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}

/// <summary>One attempt that waits for its answer.</summary>
internal sealed class Attempt(byte[] bytes, int traces, int spans)
{
    private readonly TaskCompletionSource<ExportOutcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ulong[] Numbers => Kept.Numbers(bytes);

    public int Traces => traces;

    public int Spans => spans;

    public Task<ExportOutcome> Outcome => _outcome.Task;

    public void Answer(ExportOutcome outcome) => _outcome.TrySetResult(outcome);

    public void Accept() => Answer(new ExportOutcome(ExportVerdict.Accepted));

    public void Fail(TimeSpan? wait = null) => Answer(new ExportOutcome(ExportVerdict.Retry, "unavailable", "down", wait));

    public void Refuse() => Answer(new ExportOutcome(ExportVerdict.RejectedContent, "invalid_argument", "bad span"));
}
