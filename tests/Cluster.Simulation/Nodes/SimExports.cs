using Cluster.Sharding.Traces;
using Cluster.Simulation.Engine;

namespace Cluster.Simulation.Nodes;

/// <summary>
/// The exporters of one worker loop: what is handed over reaches the back end later, in order, as long as that is up, and is confirmed later still.
/// What a
/// process has not sent ends with it; what it has sent but not seen confirmed was sent all the same.
/// </summary>
internal sealed class SimExports(SimWorld world, SimProcess process, SimWorker worker) : IKeptTraceQueue, IDisposable
{
    /// <summary>Hand-overs that there is room for.</summary>
    private const int Room = 8;

    private readonly Queue<(long HandOver, KeptTraces Traces)> _waiting = new();
    private readonly Queue<long> _unconfirmed = new();
    private long _handOvers;
    private bool _sending;

    /// <inheritdoc/>
    public bool HasRoom => _waiting.Count < Room;

    /// <summary>Hand-overs that were not confirmed yet.</summary>
    public int UnderWay => _waiting.Count + _unconfirmed.Count;

    /// <inheritdoc/>
    public void Enqueue(KeptTraces traces)
    {
        _waiting.Enqueue((++_handOvers, traces));
        world.Log.Write($"{process.Name} hands over {_handOvers}: {traces.TraceCount} traces, {traces.SpanCount} spans");
        SendNext();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, KeptTraces traces) in _waiting)
        {
            traces.Release();
        }
    }

    private void SendNext()
    {
        if (_sending || _waiting.Count == 0)
        {
            return;
        }

        _sending = true;
        process.Post(world.Random.Delay(3 * Scheduler.Millisecond), TrySend);
    }

    private void TrySend()
    {
        if (!world.Sink.IsUp)
        {
            process.Post(world.Random.Between(50, 400) * Scheduler.Millisecond, TrySend);
            return;
        }

        (long handOver, KeptTraces traces) = _waiting.Dequeue();
        world.Sink.Take(process, traces.Request.Span);
        traces.Release();
        _unconfirmed.Enqueue(handOver);
        process.Post(world.Random.Delay(world.Options.ConfirmDelay), () =>
        {
            // Confirmations are cumulative: they come in order.
            long confirmed = _unconfirmed.Dequeue();
            worker.Host.Exported(confirmed);
            worker.EndTurnSoon();
        });
        _sending = false;
        SendNext();
    }
}
