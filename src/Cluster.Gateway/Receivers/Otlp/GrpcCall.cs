using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>
/// The server's side of gRPC over HTTP/2 in one place: what the headers of a call mean and how it is answered
/// (<see href="https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"/>). Thread-safe: it has no state.
/// </summary>
internal static class GrpcCall
{
    /// <summary>Bytes before each message.</summary>
    public const int PrefixSize = 5;

    private const string ContentType = "application/grpc";
    private const string AcceptedEncodings = "gzip,identity";

    private static readonly StringValues[] Codes =
        [.. Enumerable.Range(0, 17).Select(code => new StringValues(code.ToString(CultureInfo.InvariantCulture)))];

    /// <summary>Whether a content type is gRPC with protobuf messages; parameters are let pass.</summary>
    public static bool IsGrpc(string? contentType)
    {
        if (contentType is null || !contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        ReadOnlySpan<char> rest = contentType.AsSpan(ContentType.Length);
        if (rest.StartsWith("+proto", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest["+proto".Length..];
        }

        return rest.IsEmpty || rest[0] is ';' or ' ';
    }

    /// <summary>Reads <c>grpc-timeout</c>: at most eight digits and a unit. False when it is malformed.</summary>
    public static bool TryReadTimeout(StringValues header, out TimeSpan? timeout)
    {
        timeout = null;
        if (header.Count == 0)
        {
            return true;
        }

        if (header.Count > 1 || header[0] is not { Length: >= 2 and <= 9 } text
            || !uint.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out uint value))
        {
            return false;
        }

        timeout = text[^1] switch
        {
            'H' => TimeSpan.FromTicks(value * TimeSpan.TicksPerHour),
            'M' => TimeSpan.FromTicks(value * TimeSpan.TicksPerMinute),
            'S' => TimeSpan.FromTicks(value * TimeSpan.TicksPerSecond),
            'm' => TimeSpan.FromTicks(value * TimeSpan.TicksPerMillisecond),
            'u' => TimeSpan.FromTicks(value * TimeSpan.TicksPerMicrosecond),
            'n' => TimeSpan.FromTicks(value / TimeSpan.NanosecondsPerTick),
            _ => null,
        };
        return timeout is not null;
    }

    /// <summary>Reads <c>grpc-encoding</c>. False when it names one that is not read here.</summary>
    public static bool TryReadEncoding(StringValues header, out Compression compression)
    {
        compression = Compression.None;
        if (header.Count == 0)
        {
            return true;
        }

        string? name = header.Count == 1 ? header[0] : null;
        compression = name == "gzip" ? Compression.Gzip : Compression.None;
        return name is "gzip" or "identity" or "";
    }

    /// <summary>Answers with a message, prefix included, and status OK.</summary>
    public static void Succeed(HttpContext context, ReadOnlySpan<byte> prefixedMessage)
    {
        context.Response.ContentType = ContentType;
        context.Response.BodyWriter.Write(prefixedMessage);
        End(context, GrpcCode.Ok);
    }

    /// <summary>Begins an answer of many messages.</summary>
    public static void Begin(HttpContext context) => context.Response.ContentType = ContentType;

    /// <summary>Writes the trailers of an answer that had messages.</summary>
    public static void End(HttpContext context, GrpcCode code, string message = "")
    {
        IHeaderDictionary trailers = context.Features.GetRequiredFeature<IHttpResponseTrailersFeature>().Trailers;
        trailers.GrpcStatus = Codes[(int)code];
        if (message.Length > 0)
        {
            trailers.GrpcMessage = PercentEncode(message);
        }
    }

    /// <summary>Answers with a status alone: it goes into the headers, as nothing was written.</summary>
    public static void Fail(HttpContext context, IntakeStatus status)
    {
        HttpResponse response = context.Response;
        response.ContentType = ContentType;
        response.Headers.GrpcStatus = Codes[(int)status.Code];
        response.Headers.GrpcMessage = PercentEncode(status.Message);
        if (status.RetryAfter is not null)
        {
            response.Headers["grpc-status-details-bin"] = status.DetailsBase64;
        }
    }

    /// <summary>Tells the client which encodings are read here.</summary>
    public static void NameEncodings(HttpContext context) => context.Response.Headers.GrpcAcceptEncoding = AcceptedEncodings;

    /// <summary>Writes the prefix of an uncompressed message.</summary>
    public static void WritePrefix(Span<byte> destination, int length)
    {
        destination[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(destination[1..], length);
    }

    /// <summary>A status message as a header: UTF-8 with everything but printable ASCII, and the percent sign, as <c>%XX</c>.</summary>
    public static string PercentEncode(string message)
    {
        if (!message.AsSpan().ContainsAnyExceptInRange(' ', '~') && !message.Contains('%', StringComparison.Ordinal))
        {
            return message;
        }

        StringBuilder text = new(message.Length + 16);
        foreach (byte b in Encoding.UTF8.GetBytes(message))
        {
            if (b is >= 0x20 and <= 0x7E and not (byte)'%')
            {
                text.Append((char)b);
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
            }
        }

        return text.ToString();
    }
}
