namespace Cluster.Messages.Sharding;

/// <summary>
/// Why something was not taken. Every refusal is retryable and says so to the client. Of a frame that was refused nothing was taken; of a
/// request, other owners may have taken their frames, whose spans they recognise when they come again.
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

    /// <summary>The owner's lease on its place in the cluster may have ended, so it acknowledges nothing; another takes over, or the lease is renewed.</summary>
    LeaseEnded = 7,

    /// <summary>Fewer in-sync copies of a shard than <c>cluster.min_in_sync</c>.</summary>
    NotEnoughInSync = 8,

    /// <summary>The owner or a replica is slow: as much as may be is on its way to it.</summary>
    PeerBusy = 9,

    /// <summary>No node owns the shard at the moment, or its owner cannot be reached.</summary>
    OwnerUnreachable = 10,
}
