using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Receivers;

/// <summary>What stands behind every door: takes a whole OTLP request, in protobuf, and says what became of it.</summary>
public interface ITraceConsumer
{
    /// <summary>What a request would be refused for now, before any of it is read; no promise.</summary>
    Refusal Admission { get; }

    /// <summary>
    /// Splits <paramref name="request"/> (an <c>ExportTraceServiceRequest</c>) by trace and delivers it to the shards. The bytes
    /// are the caller's again when the task completes. Thread-safe; throws only <see cref="OperationCanceledException"/>.
    /// </summary>
    ValueTask<IntakeOutcome> ConsumeAsync(ReadOnlyMemory<byte> request, CancellationToken cancellationToken);
}

/// <summary>What became of a request. Exactly one of: taken (perhaps with rejected spans), malformed, too large, refused.</summary>
/// <param name="AcceptedSpans">Spans that are safe now.</param>
/// <param name="RejectedSpans">Spans with an invalid trace or span ID; the others were taken.</param>
/// <param name="Error">Set when the request is malformed as a whole; nothing of it was taken.</param>
/// <param name="ErrorOffset">Byte offset of <paramref name="Error"/> in the request.</param>
/// <param name="Excess">Set when the request would become too large here, by how it is made; says how, and nothing of it was taken.</param>
/// <param name="Refusal">Set when the request may be sent again later; nothing of it was taken for good.</param>
public readonly record struct IntakeOutcome(int AcceptedSpans, int RejectedSpans, WireError Error, int ErrorOffset, string? Excess, Refusal Refusal)
{
    /// <summary>All or some spans were taken.</summary>
    public static IntakeOutcome Taken(int accepted, int rejected) => new(accepted, rejected, WireError.None, 0, null, Refusal.None);

    /// <summary>The bytes are no OTLP request.</summary>
    public static IntakeOutcome Malformed(WireError error, int offset) => new(0, 0, error, offset, null, Refusal.None);

    /// <summary>Not now, and not later.</summary>
    /// <param name="excess">What of it is larger than what, for the client's developer.</param>
    public static IntakeOutcome TooLarge(string excess) => new(0, 0, WireError.None, 0, excess, Refusal.None);

    /// <summary>Not now.</summary>
    public static IntakeOutcome Refused(Refusal refusal) => new(0, 0, WireError.None, 0, null, refusal);
}
