namespace Cluster.Messages.Sharding;

/// <summary>
/// Why something was not taken. Every refusal is retryable and says so to the client; nothing refused was taken in part.
/// Values are stable: they are counted, logged and cross wires.
/// </summary>
public enum Refusal
{
    /// <summary>Not refused.</summary>
    None = 0,

    /// <summary>More request bytes are being worked on than <c>limits.in_flight_bytes</c>.</summary>
    InFlightBytes = 1,

    /// <summary>Buffered spans have reached the soft memory limit; pending traces are being decided early.</summary>
    Memory = 2,

    /// <summary>An exporter's sending queue is full.</summary>
    ExportQueueFull = 3,

    /// <summary>The node is shutting down.</summary>
    ShuttingDown = 4,

    /// <summary>Another node owns the shard by now.</summary>
    NotOwner = 5,

    /// <summary>The owner did not acknowledge before the client's deadline.</summary>
    DeadlineExceeded = 6,
}
