using System.Globalization;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>What OTLP/HTTP answers look like, in the encoding of the request. Thread-safe: it has no state.</summary>
internal static class OtlpHttpAnswer
{
    /// <summary>Media type of protobuf requests and answers.</summary>
    public const string ProtobufType = "application/x-protobuf";

    /// <summary>Media type of JSON requests and answers.</summary>
    public const string JsonType = "application/json";

    // Everything was taken: an empty message.
    private static readonly byte[] EmptyProtobuf = [];
    private static readonly byte[] EmptyJson = "{}"u8.ToArray();

    /// <summary>Reads <c>Content-Type</c>; parameters such as a charset are let pass. False when it is neither protobuf nor JSON.</summary>
    public static bool TryReadMediaType(string? contentType, out bool json)
    {
        ReadOnlySpan<char> type = contentType;
        int semicolon = type.IndexOf(';');
        type = (semicolon < 0 ? type : type[..semicolon]).Trim();
        json = type.Equals(JsonType, StringComparison.OrdinalIgnoreCase);
        return json || type.Equals(ProtobufType, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>200, with a partial success if spans were rejected.</summary>
    public static ValueTask SucceedAsync(HttpContext context, bool json, int rejected)
    {
        byte[] body = json ? EmptyJson : EmptyProtobuf;
        if (rejected != 0)
        {
            using PooledBuffer message = new(256);
            if (json)
            {
                ExportTraceResponse.WriteJson(message, rejected, DoorServices.RejectedSpansMessage);
            }
            else
            {
                ExportTraceResponse.Write(message, rejected, DoorServices.RejectedSpansMessage);
            }

            body = message.WrittenSpan.ToArray();
        }

        return WriteAsync(context, StatusCodes.Status200OK, json ? JsonType : ProtobufType, body);
    }

    /// <summary>An error status with a <c>google.rpc.Status</c> body and, if trying again helps, <c>Retry-After</c>.</summary>
    public static ValueTask FailAsync(HttpContext context, bool json, IntakeStatus status)
    {
        if (status.RetryAfter is { } wait)
        {
            long seconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        return WriteAsync(context, status.HttpStatus, json ? JsonType : ProtobufType, json ? status.Json : status.Protobuf);
    }

    /// <summary>Any answer.</summary>
    public static async ValueTask WriteAsync(HttpContext context, int httpStatus, string mediaType, byte[] body)
    {
        HttpResponse response = context.Response;
        response.StatusCode = httpStatus;
        response.ContentType = mediaType;
        response.ContentLength = body.Length;
        if (body.Length > 0 && !HttpMethods.IsHead(context.Request.Method))
        {
            await response.BodyWriter.WriteAsync(body);
        }
    }
}
