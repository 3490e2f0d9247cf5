using System.Buffers;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Receivers;

/// <summary>Status codes of gRPC that the doors answer with (<see href="https://grpc.io/docs/guides/status-codes/"/>).</summary>
internal enum GrpcCode
{
    /// <summary>Taken.</summary>
    Ok = 0,

    /// <summary>The request is wrong and will stay wrong.</summary>
    InvalidArgument = 3,

    /// <summary>The client's own time is over.</summary>
    DeadlineExceeded = 4,

    /// <summary>There is no such thing.</summary>
    NotFound = 5,

    /// <summary>Too large, or too much at once.</summary>
    ResourceExhausted = 8,

    /// <summary>No such method, or an encoding that nobody here reads.</summary>
    Unimplemented = 12,

    /// <summary>The framing of a call is broken, or something here is.</summary>
    Internal = 13,

    /// <summary>Not now, not here.</summary>
    Unavailable = 14,
}

/// <summary>
/// What a client whose request was not taken is told, in the words of either door, and under what it is counted. Immutable.
/// </summary>
/// <param name="Code">gRPC.</param>
/// <param name="HttpStatus">HTTP.</param>
/// <param name="Message">What is wrong, for the client's developer.</param>
/// <param name="Outcome">What it is counted as.</param>
/// <param name="Refusal">Which refusal, if it is one.</param>
/// <param name="RetryAfter">When to try again; null when trying again would not help, or is not promised to.</param>
internal sealed record IntakeStatus(
    GrpcCode Code, int HttpStatus, string Message, RequestOutcome Outcome, Refusal Refusal = Refusal.None, TimeSpan? RetryAfter = null)
{
    private byte[]? _protobuf;
    private byte[]? _json;
    private string? _details;

    /// <summary><c>google.rpc.Status</c> in protobuf.</summary>
    public byte[] Protobuf => _protobuf ??= Encode(json: false);

    /// <summary><c>google.rpc.Status</c> in JSON.</summary>
    public byte[] Json => _json ??= Encode(json: true);

    /// <summary>
    /// Value of <c>grpc-status-details-bin</c>: base64 without padding, as
    /// <see href="https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"/> asks for binary headers.
    /// </summary>
    public string DetailsBase64 => _details ??= Convert.ToBase64String(Protobuf).TrimEnd('=');

    private byte[] Encode(bool json)
    {
        using PooledBuffer buffer = new(256);
        if (json)
        {
            RpcStatus.WriteJson(buffer, (int)Code, Message, RetryAfter);
        }
        else
        {
            RpcStatus.Write(buffer, (int)Code, Message, RetryAfter);
        }

        return buffer.WrittenSpan.ToArray();
    }
}

/// <summary>
/// The one table from what can go wrong to what the client hears. By the OTLP specification clients retry
/// RESOURCE_EXHAUSTED only when it carries <c>RetryInfo</c>: so refusals have it, and what is too large has not
/// (<see href="https://opentelemetry.io/docs/specs/otlp/#failures"/>). Immutable.
/// </summary>
/// <param name="retryAfter">What a refused client is told to wait.</param>
internal sealed class OutcomeMapping(TimeSpan retryAfter)
{
    // What a client sent comes back in its answer only so far.
    private const int MaxNamed = 128;

    // By refusal; made once, as they are wanted most when there is least time.
    private readonly IntakeStatus[] _refusals =
    [
        new(GrpcCode.Internal, 500, "refused without a reason", RequestOutcome.Failed),
        new(GrpcCode.ResourceExhausted, 429, "too many request bytes in flight (limits.in_flight_bytes)", RequestOutcome.Refused,
            Refusal.InFlightBytes, retryAfter),
        new(GrpcCode.ResourceExhausted, 429, "memory for buffered spans is used up", RequestOutcome.Refused, Refusal.Memory, retryAfter),
        new(GrpcCode.ResourceExhausted, 429, "an exporter's queue is full", RequestOutcome.Refused, Refusal.ExportQueueFull, retryAfter),
        new(GrpcCode.Unavailable, 503, "the node is shutting down", RequestOutcome.Refused, Refusal.ShuttingDown, retryAfter),
        new(GrpcCode.Unavailable, 503, "another node owns the traces now", RequestOutcome.Refused, Refusal.NotOwner, retryAfter),
        new(GrpcCode.DeadlineExceeded, 503, "the spans were not safe before the deadline", RequestOutcome.Refused,
            Refusal.DeadlineExceeded, retryAfter),
        new(GrpcCode.Unavailable, 503, "the owner of the traces may not acknowledge at the moment", RequestOutcome.Refused,
            Refusal.LeaseEnded, retryAfter),
        new(GrpcCode.Unavailable, 503, "too few copies of the spans would be in sync (cluster.min_in_sync)", RequestOutcome.Refused,
            Refusal.NotEnoughInSync, retryAfter),
        new(GrpcCode.ResourceExhausted, 429, "too much is on its way to the owner of the traces", RequestOutcome.Refused, Refusal.PeerBusy,
            retryAfter),
        new(GrpcCode.Unavailable, 503, "the owner of the traces cannot be reached", RequestOutcome.Refused, Refusal.OwnerUnreachable,
            retryAfter),
    ];

    /// <summary>Something here is broken; the log says what.</summary>
    public static IntakeStatus Broken { get; } = new(GrpcCode.Internal, 500, "internal error", RequestOutcome.Failed);

    /// <summary>The client's own deadline passed while its request was worked on.</summary>
    public static IntakeStatus ClientDeadline { get; } =
        new(GrpcCode.DeadlineExceeded, 503, "deadline exceeded", RequestOutcome.TimedOut);

    /// <summary>A refusal by the shards or by the doors.</summary>
    public IntakeStatus Refused(Refusal refusal) =>
        (uint)refusal < (uint)_refusals.Length
            ? _refusals[(int)refusal]
            : new(GrpcCode.Unavailable, 503, $"refused: {refusal}", RequestOutcome.Refused, refusal, retryAfter);

    /// <summary>What the consumer did not take; null when it took the request.</summary>
    public IntakeStatus? NotTaken(in IntakeOutcome outcome) =>
        outcome.Error != WireError.None ? Malformed(outcome.Error, outcome.ErrorOffset)
        : outcome.Excess is { } excess ? TooLarge($"request is too large: {excess}")
        : outcome.Refusal != Refusal.None ? Refused(outcome.Refusal)
        : null;

    /// <summary>Bytes that are no OTLP request.</summary>
    public static IntakeStatus Malformed(WireError error, int offset) =>
        Malformed($"malformed request: {error} at byte {offset}");

    /// <summary>A request that is wrong in any other way.</summary>
    public static IntakeStatus Malformed(string message) => new(GrpcCode.InvalidArgument, 400, message, RequestOutcome.Malformed);

    /// <summary>A request that will never be taken as it is, since it is more than fits.</summary>
    private static IntakeStatus TooLarge(string message) => new(GrpcCode.ResourceExhausted, 413, message, RequestOutcome.TooLarge);

    /// <summary>A broken gRPC call, in the code that gRPC servers use for it.</summary>
    public static IntakeStatus BrokenCall(string message) => new(GrpcCode.Internal, 400, message, RequestOutcome.Malformed);

    /// <summary>A method, path, media type or encoding that is not served.</summary>
    /// <param name="httpStatus">Over HTTP.</param>
    /// <param name="problem">What is wrong.</param>
    /// <param name="named">What the client named; an end that is far away is cut off.</param>
    public static IntakeStatus NotServed(int httpStatus, string problem, string named) =>
        new(
            GrpcCode.Unimplemented,
            httpStatus,
            problem + (named.Length <= MaxNamed ? named : named[..MaxNamed] + "..."),
            RequestOutcome.NotServed);

    /// <summary>A body that could not be read. Not for <see cref="BodyFault.ClientGone"/>: nobody is left to be told.</summary>
    /// <param name="fault">Why not.</param>
    /// <param name="body">Its reader.</param>
    /// <param name="limit">The door's limit, in bytes.</param>
    /// <param name="setting">The limit's name in the configuration.</param>
    /// <param name="deadline">The request's time limits.</param>
    public IntakeStatus Unread(BodyFault fault, RequestBodyReader body, int limit, string setting, RequestDeadline deadline) => fault switch
    {
        BodyFault.TooLarge => TooLarge($"request is larger than {limit} bytes ({setting})"),
        BodyFault.InFlight => Refused(Refusal.InFlightBytes),
        BodyFault.TimedOut when deadline.ClientTimeIsOver => ClientDeadline,
        BodyFault.TimedOut =>
            new(GrpcCode.DeadlineExceeded, 408, "the body did not arrive in time (limits.body_timeout)", RequestOutcome.TimedOut),
        BodyFault.BadHttp => Malformed("broken HTTP body"),
        BodyFault.BadCompression => Malformed("compressed data are damaged, cut short, or followed by other bytes"),
        BodyFault.NoMessage => BrokenCall("no request message: a unary call has exactly one"),
        BodyFault.CutMessage => BrokenCall($"the call ends inside its message of {body.AnnouncedBytes} bytes"),
        BodyFault.SecondMessage => BrokenCall($"more follows the message of {body.AnnouncedBytes} bytes: a unary call has exactly one"),
        BodyFault.BadFlag => BrokenCall("the compressed flag of the message is neither 0 nor 1"),
        _ => Broken,
    };
}
