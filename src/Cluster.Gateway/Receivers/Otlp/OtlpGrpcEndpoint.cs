using System.Runtime.CompilerServices;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>
/// The OTLP/gRPC door: <c>TraceService/Export</c> and <c>grpc.health.v1.Health</c>, on nothing but Kestrel's HTTP/2
/// (<see href="https://opentelemetry.io/docs/specs/otlp/#otlpgrpc"/>). Thread-safe.
/// </summary>
internal sealed class OtlpGrpcEndpoint(
    OtlpGrpcOptions options, DoorServices services, GrpcHealthEndpoint health, ILogger<OtlpGrpcEndpoint> logger)
{
    /// <summary>Path of the one method of OTLP/gRPC for traces.</summary>
    public const string ExportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

    private const string SizeSetting = "max_recv_msg_size_mib";

    // An empty ExportTraceServiceResponse: everything was taken.
    private static readonly byte[] EmptyMessage = new byte[GrpcCall.PrefixSize];

    /// <summary>Answers one call.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (!HttpMethods.IsPost(request.Method))
        {
            services.Statistics.NotTaken(DoorKind.Grpc, RequestOutcome.NotServed);
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = HttpMethods.Post;
            return;
        }

        if (!GrpcCall.IsGrpc(request.ContentType))
        {
            services.Statistics.NotTaken(DoorKind.Grpc, RequestOutcome.NotServed);
            context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return;
        }

        try
        {
            string path = request.Path.Value ?? "";
            await (path == ExportPath ? ExportAsync(context)
                : path.StartsWith(GrpcHealthEndpoint.ServicePath, StringComparison.Ordinal) ? health.HandleAsync(context, path)
                : RefuseMethod(context, path));
        }
        catch (Exception e)
        {
            DoorLog.RequestFailed(logger, DoorKind.Grpc, e);
            Fail(context, OutcomeMapping.Broken);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask ExportAsync(HttpContext context)
    {
        IHeaderDictionary headers = context.Request.Headers;
        if (!GrpcCall.TryReadTimeout(headers.GrpcTimeout, out TimeSpan? timeout))
        {
            Fail(context, OutcomeMapping.BrokenCall("malformed grpc-timeout"));
            return;
        }

        if (!GrpcCall.TryReadEncoding(headers.GrpcEncoding, out Compression compression))
        {
            GrpcCall.NameEncodings(context);
            Fail(context, OutcomeMapping.NotServed(
                StatusCodes.Status415UnsupportedMediaType, "unsupported grpc-encoding ", headers.GrpcEncoding.ToString()));
            return;
        }

        if (services.Consumer.Admission is not Refusal.None and Refusal refusal)
        {
            Fail(context, services.Mapping.Refused(refusal));
            return;
        }

        using RequestDeadline deadline = new(services.Deadlines, services.Limits.BodyTimeout, timeout);
        using RequestBodyReader body = new(services.InFlight, deadline);
        BodyFault fault = await body.ReadMessageAsync(context.Request.BodyReader, options.MaxMessageBytes);
        if (fault == BodyFault.None && body.IsCompressed)
        {
            if (compression == Compression.None)
            {
                Fail(context, OutcomeMapping.BrokenCall("the message is flagged as compressed, but the call names no grpc-encoding"));
                return;
            }

            fault = body.Inflate(compression, options.MaxMessageBytes);
        }

        if (fault == BodyFault.ClientGone)
        {
            services.Statistics.NotTaken(DoorKind.Grpc, RequestOutcome.ClientGone);
        }
        else if (fault != BodyFault.None)
        {
            Fail(context, services.Mapping.Unread(fault, body, options.MaxMessageBytes, SizeSetting, deadline));
        }
        else
        {
            services.Statistics.Read(DoorKind.Grpc, body.ReceivedBytes, body.Content.Length);
            await DeliverAsync(context, body.Content, deadline);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask DeliverAsync(HttpContext context, ReadOnlyMemory<byte> message, RequestDeadline deadline)
    {
        IntakeOutcome outcome;
        try
        {
            outcome = await services.Consumer.ConsumeAsync(message, deadline.ForDelivery(context.RequestAborted));
        }
        catch (OperationCanceledException) when (deadline.ClientTimeIsOver)
        {
            Fail(context, OutcomeMapping.ClientDeadline);
            return;
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            services.Statistics.NotTaken(DoorKind.Grpc, RequestOutcome.ClientGone);
            return;
        }

        if (services.Mapping.NotTaken(outcome) is { } status)
        {
            Fail(context, status);
        }
        else
        {
            services.Statistics.Taken(DoorKind.Grpc, outcome);
            Answer(context, outcome.RejectedSpans);
        }
    }

    private static void Answer(HttpContext context, int rejected)
    {
        if (rejected == 0)
        {
            GrpcCall.Succeed(context, EmptyMessage);
            return;
        }

        using PooledBuffer message = new(256);
        message.Write(EmptyMessage);
        ExportTraceResponse.Write(message, rejected, DoorServices.RejectedSpansMessage);
        byte[] prefixed = message.WrittenSpan.ToArray();
        GrpcCall.WritePrefix(prefixed, prefixed.Length - GrpcCall.PrefixSize);
        GrpcCall.Succeed(context, prefixed);
    }

    private ValueTask RefuseMethod(HttpContext context, string path)
    {
        Fail(context, OutcomeMapping.NotServed(StatusCodes.Status404NotFound, "unknown method ", path));
        return ValueTask.CompletedTask;
    }

    private void Fail(HttpContext context, IntakeStatus status)
    {
        services.Statistics.NotTaken(DoorKind.Grpc, status.Outcome, status.Refusal);
        if (!context.Response.HasStarted)
        {
            GrpcCall.Fail(context, status);
        }
    }
}
