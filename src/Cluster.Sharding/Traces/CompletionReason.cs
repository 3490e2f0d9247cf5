namespace Cluster.Sharding.Traces;

/// <summary>Why a trace was decided when it was. Values are stable: they are remembered, logged and cross wires.</summary>
public enum CompletionReason : byte
{
    /// <summary>Not decided yet.</summary>
    None = 0,

    /// <summary><c>decision_wait</c> since the first span.</summary>
    DecisionWait = 1,

    /// <summary><c>decision_wait_after_root_received</c> since the root span.</summary>
    RootReceived = 2,

    /// <summary>Root seen, no parent missing, and quiet for <c>completion.settle</c>.</summary>
    TreeClosed = 3,

    /// <summary><c>num_traces</c> reached: the oldest is decided early.</summary>
    TraceCount = 4,

    /// <summary>Soft memory limit reached: the largest and oldest are decided early.</summary>
    Memory = 5,

    /// <summary>Larger than <c>maximum_trace_size_bytes</c>: not sampled without asking the policies.</summary>
    TooLarge = 6,

    /// <summary>The node is shutting down.</summary>
    Shutdown = 7,
}
