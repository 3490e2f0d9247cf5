namespace Cluster.Gateway.Receivers;

/// <summary>
/// Whether this node takes traces, as health checks see it. One part sets it, any number read it or wait for it to change.
/// Not ready at first. Thread-safe.
/// </summary>
public sealed class Readiness
{
    private readonly Lock _gate = new();
    private volatile State _state = new(false);

    /// <summary>True while the node takes traces.</summary>
    public bool IsReady => _state.Ready;

    /// <summary>Says whether the node takes traces from now on.</summary>
    public void Set(bool ready)
    {
        State old;
        lock (_gate)
        {
            old = _state;
            if (old.Ready == ready)
            {
                return;
            }

            _state = new State(ready);
        }

        old.Changed.SetResult();
    }

    /// <summary>The state, and a task that completes when it is another one.</summary>
    internal (bool Ready, Task Changed) Observe()
    {
        State state = _state;
        return (state.Ready, state.Changed.Task);
    }

    private sealed record State(bool Ready)
    {
        public TaskCompletionSource Changed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
