using System.Numerics;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>
/// The OTLP/HTTP door: one path, protobuf or JSON (<see href="https://opentelemetry.io/docs/specs/otlp/#otlphttp"/>). Thread-safe.
/// </summary>
internal sealed class OtlpHttpEndpoint(OtlpHttpOptions options, DoorServices services, ILogger<OtlpHttpEndpoint> logger)
{
    private const string SizeSetting = "max_request_body_size";
    private const string AcceptedEncodings = "gzip, deflate, identity";

    private readonly CorsPolicy? _cors = options.Cors is { } cors ? new CorsPolicy(cors) : null;

    /// <summary>Answers one request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (_cors is not null && _cors.Apply(context))
        {
            return;
        }

        if (request.Path.Value != options.TracesPath)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, $"not found: traces go to {options.TracesPath}");
        }
        else if (!HttpMethods.IsPost(request.Method))
        {
            context.Response.Headers.Allow = HttpMethods.Post;
            await RefuseAsync(context, StatusCodes.Status405MethodNotAllowed, "method not allowed: traces are sent with POST");
        }
        else if (!OtlpHttpAnswer.TryReadMediaType(request.ContentType, out bool json))
        {
            await RefuseAsync(context, StatusCodes.Status415UnsupportedMediaType,
                $"unsupported media type: use {OtlpHttpAnswer.ProtobufType} or {OtlpHttpAnswer.JsonType}");
        }
        else
        {
            try
            {
                await IntakeAsync(context, json);
            }
            catch (Exception e)
            {
                DoorLog.RequestFailed(logger, DoorKind.Http, e);
                await FailAsync(context, json, OutcomeMapping.Broken);
            }
        }
    }

    private async Task IntakeAsync(HttpContext context, bool json)
    {
        HttpRequest request = context.Request;
        if (!TryReadEncoding(request.Headers.ContentEncoding, out Compression compression))
        {
            context.Response.Headers.AcceptEncoding = AcceptedEncodings;
            await FailAsync(context, json, OutcomeMapping.NotServed(StatusCodes.Status415UnsupportedMediaType,
                $"use {AcceptedEncodings}, not Content-Encoding ", request.Headers.ContentEncoding.ToString()));
            return;
        }

        if (services.Consumer.Admission is not Refusal.None and Refusal refusal)
        {
            await FailAsync(context, json, services.Mapping.Refused(refusal));
            return;
        }

        using RequestDeadline deadline = new(services.Deadlines, services.Limits.BodyTimeout, clientTimeout: null);
        using RequestBodyReader body = new(services.InFlight, deadline);
        BodyFault fault = await body.ReadBodyAsync(request.BodyReader, request.ContentLength, options.MaxBodyBytes);
        if (fault == BodyFault.None && compression != Compression.None)
        {
            fault = body.Inflate(compression, options.MaxBodyBytes);
        }

        if (fault == BodyFault.ClientGone)
        {
            services.Statistics.NotTaken(DoorKind.Http, RequestOutcome.ClientGone);
            context.Abort();
            return;
        }

        if (fault != BodyFault.None)
        {
            if (fault is BodyFault.TimedOut or BodyFault.BadHttp)
            {
                // What is left of the body may never come: the connection cannot be used again.
                context.Response.Headers.Connection = "close";
            }

            await FailAsync(context, json, services.Mapping.Unread(fault, body, options.MaxBodyBytes, SizeSetting, deadline));
            return;
        }

        services.Statistics.Read(DoorKind.Http, body.ReceivedBytes, body.Content.Length);
        if (json)
        {
            await TranscodeAsync(context, body.Content);
        }
        else
        {
            await DeliverAsync(context, json, body.Content);
        }
    }

    private async ValueTask TranscodeAsync(HttpContext context, ReadOnlyMemory<byte> document)
    {
        // The array that the pool gives for the longest protobuf that the document can become.
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(document.Length + (document.Length / 2L) + 64, 1 << 30));
        if (!services.InFlight.TryCharge(capacity))
        {
            await FailAsync(context, json: true, services.Mapping.Refused(Refusal.InFlightBytes));
            return;
        }

        try
        {
            using PooledBuffer request = new(capacity);
            if (OtlpJson.TryReadRequest(document.Span, request, out OtlpJsonError error))
            {
                await DeliverAsync(context, json: true, request.WrittenMemory);
            }
            else
            {
                await FailAsync(context, json: true, OutcomeMapping.Malformed($"malformed JSON at byte {error.Offset}: {error.Problem}"));
            }
        }
        finally
        {
            services.InFlight.Release(capacity);
        }
    }

    private async ValueTask DeliverAsync(HttpContext context, bool json, ReadOnlyMemory<byte> message)
    {
        IntakeOutcome outcome;
        try
        {
            outcome = await services.Consumer.ConsumeAsync(message, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            services.Statistics.NotTaken(DoorKind.Http, RequestOutcome.ClientGone);
            return;
        }

        if (services.Mapping.NotTaken(outcome) is { } status)
        {
            await FailAsync(context, json, status);
        }
        else
        {
            services.Statistics.Taken(DoorKind.Http, outcome);
            await OtlpHttpAnswer.SucceedAsync(context, json, outcome.RejectedSpans);
        }
    }

    /// <summary>Reads <c>Content-Encoding</c>. False when it names one that is not read here, or several.</summary>
    private static bool TryReadEncoding(StringValues header, out Compression compression)
    {
        string name = header.Count == 0 ? "" : header.Count == 1 ? header[0] ?? "" : "several";
        compression =
            Is("gzip") || Is("x-gzip") ? Compression.Gzip
            : Is("deflate") ? Compression.Zlib
            : Compression.None;
        return compression != Compression.None || Is("") || Is("identity");

        bool Is(string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);
    }

    // Requests that do not say what they would understand are answered in plain text.
    private ValueTask RefuseAsync(HttpContext context, int httpStatus, string message)
    {
        services.Statistics.NotTaken(DoorKind.Http, RequestOutcome.NotServed);
        return OtlpHttpAnswer.WriteAsync(context, httpStatus, "text/plain", System.Text.Encoding.UTF8.GetBytes(message));
    }

    private ValueTask FailAsync(HttpContext context, bool json, IntakeStatus status)
    {
        services.Statistics.NotTaken(DoorKind.Http, status.Outcome, status.Refusal);
        return context.Response.HasStarted ? ValueTask.CompletedTask : OtlpHttpAnswer.FailAsync(context, json, status);
    }
}
