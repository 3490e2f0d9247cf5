using System.IO.Pipelines;
using System.Text;
using Cluster.Messages.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>
/// <c>grpc.health.v1.Health</c>: Check and Watch (<see href="https://github.com/grpc/grpc/blob/master/doc/health-checking.md"/>).
/// Known services are the node as a whole (the empty name) and the trace service; both follow <see cref="Readiness"/>. Thread-safe.
/// </summary>
/// <param name="services">What every door works with.</param>
/// <param name="readiness">Whether the node takes traces.</param>
/// <param name="stopping">Cancelled when the node goes down: watches end.</param>
internal sealed class GrpcHealthEndpoint(DoorServices services, Readiness readiness, CancellationToken stopping)
{
    /// <summary>Beginning of the service's paths.</summary>
    public const string ServicePath = "/grpc.health.v1.Health/";

    /// <summary>Watches open at once; further ones are refused.</summary>
    public const int MaxWatches = 64;

    private const string TraceService = "opentelemetry.proto.collector.trace.v1.TraceService";
    private const int MaxRequestBytes = 4 << 10;
    private const int ServiceField = 1;
    private const byte StatusTag = 1 << 3;

    // HealthCheckResponse.ServingStatus.
    private const byte Serving = 1;
    private const byte NotServing = 2;
    private const byte ServiceUnknown = 3;

    private int _watches;

    /// <summary>Watches open now.</summary>
    public int OpenWatches => Volatile.Read(ref _watches);

    /// <summary>Answers one call to a path that begins with <see cref="ServicePath"/>.</summary>
    public async ValueTask HandleAsync(HttpContext context, string path)
    {
        bool watch = path == ServicePath + "Watch";
        if (!watch && path != ServicePath + "Check")
        {
            GrpcCall.Fail(context, OutcomeMapping.NotServed(StatusCodes.Status404NotFound, "unknown method ", path));
            return;
        }

        if (!GrpcCall.TryReadTimeout(context.Request.Headers.GrpcTimeout, out TimeSpan? timeout))
        {
            GrpcCall.Fail(context, OutcomeMapping.BrokenCall("malformed grpc-timeout"));
            return;
        }

        using RequestDeadline deadline = new(services.Deadlines, services.Limits.BodyTimeout, timeout);
        (string? service, IntakeStatus? problem) = await ReadServiceAsync(context, deadline);
        if (problem is not null)
        {
            GrpcCall.Fail(context, problem);
        }
        else if (service is not null && watch)
        {
            await WatchAsync(context, service, deadline);
        }
        else if (service is not null)
        {
            Check(context, service);
        }
    }

    /// <summary>The service asked for; null when the client left, or with the answer to a broken call.</summary>
    private async Task<(string? Service, IntakeStatus? Problem)> ReadServiceAsync(HttpContext context, RequestDeadline deadline)
    {
        using RequestBodyReader body = new(services.InFlight, deadline);
        BodyFault fault = await body.ReadMessageAsync(context.Request.BodyReader, MaxRequestBytes);
        if (fault == BodyFault.None && body.IsCompressed)
        {
            GrpcCall.TryReadEncoding(context.Request.Headers.GrpcEncoding, out Compression compression);
            fault = compression == Compression.None ? BodyFault.BadCompression : body.Inflate(compression, MaxRequestBytes);
        }

        if (fault != BodyFault.None)
        {
            return (null, fault == BodyFault.ClientGone
                ? null
                : services.Mapping.Unread(fault, body, MaxRequestBytes, "a health check", deadline));
        }

        string service = "";
        WireReader reader = new(body.Content.Span);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag != ((ServiceField << 3) | (uint)WireType.LengthDelimited))
            {
                if (!reader.TrySkip(tag))
                {
                    break;
                }
            }
            else if (reader.TryReadBytes(out ReadOnlySpan<byte> name))
            {
                service = Encoding.UTF8.GetString(name);
            }
        }

        return reader.AtEnd ? (service, null) : (null, OutcomeMapping.Malformed(reader.Error, reader.Position));
    }

    private void Check(HttpContext context, string service)
    {
        if (IsKnown(service))
        {
            GrpcCall.Succeed(context, Message(readiness.IsReady ? Serving : NotServing));
        }
        else
        {
            GrpcCall.Fail(context, new IntakeStatus(GrpcCode.NotFound, 404, "unknown service", RequestOutcome.NotServed));
        }
    }

    private async Task WatchAsync(HttpContext context, string service, RequestDeadline deadline)
    {
        if (Interlocked.Increment(ref _watches) > MaxWatches)
        {
            Interlocked.Decrement(ref _watches);
            string message = $"more than {MaxWatches} watches";
            GrpcCall.Fail(context, new IntakeStatus(GrpcCode.ResourceExhausted, 429, message, RequestOutcome.NotServed));
            return;
        }

        try
        {
            using CancellationTokenSource ended =
                CancellationTokenSource.CreateLinkedTokenSource(stopping, deadline.ForDelivery(context.RequestAborted));
            GrpcCall.Begin(context);
            await SendChangesAsync(context.Response.BodyWriter, IsKnown(service), ended.Token);
        }
        catch (OperationCanceledException)
        {
            GrpcCode code = deadline.ClientTimeIsOver ? GrpcCode.DeadlineExceeded : GrpcCode.Unavailable;
            GrpcCall.End(context, code, code == GrpcCode.Unavailable ? "the node is shutting down" : "deadline exceeded");
        }
        finally
        {
            Interlocked.Decrement(ref _watches);
        }
    }

    private async Task SendChangesAsync(PipeWriter output, bool known, CancellationToken ended)
    {
        byte last = 0;
        while (true)
        {
            (bool ready, Task changed) = readiness.Observe();
            byte status = !known ? ServiceUnknown : ready ? Serving : NotServing;
            if (status != last)
            {
                last = status;
                await output.WriteAsync(Message(status), ended);
            }

            await changed.WaitAsync(ended);
        }
    }

    private static bool IsKnown(string service) => service is "" or TraceService;

    private static byte[] Message(byte status)
    {
        byte[] message = new byte[GrpcCall.PrefixSize + 2];
        GrpcCall.WritePrefix(message, 2);
        message[GrpcCall.PrefixSize] = StatusTag;
        message[GrpcCall.PrefixSize + 1] = status;
        return message;
    }
}
