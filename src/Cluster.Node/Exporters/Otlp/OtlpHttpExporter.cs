using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Cluster.Messages.Otlp;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>
/// OTLP over HTTP (<see href="https://opentelemetry.io/docs/specs/otlp/#otlphttp"/>): one POST an attempt, protobuf or JSON; HTTP/1.1 in
/// cleartext, what TLS negotiates otherwise. Redirects are not followed.
/// </summary>
internal sealed class OtlpHttpExporter : IExportClient
{
    private static readonly MediaTypeHeaderValue ProtobufType = new("application/x-protobuf");
    private static readonly MediaTypeHeaderValue JsonType = new("application/json");

    private readonly HttpMessageInvoker _invoker;
    private readonly KeyValuePair<string, string>[] _headers;
    private readonly OtlpHttpExporterOptions _options;
    private readonly TimeProvider _time;
    private readonly Version _version;

    /// <summary>Reads the files of <c>tls</c>; connects at the first attempt.</summary>
    /// <exception cref="FormatException">A header cannot be sent.</exception>
    /// <exception cref="IOException">A file of <c>tls</c> cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file of it is no certificate or key.</exception>
    public OtlpHttpExporter(OtlpHttpExporterOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _headers = OtlpTransport.CheckHeaders(options.Headers);
        _version = options.TracesEndpoint.Scheme == Uri.UriSchemeHttps ? HttpVersion.Version20 : HttpVersion.Version11;
        _invoker = OtlpTransport.CreateInvoker(options, options.TracesEndpoint, http2: false);
    }

    /// <inheritdoc/>
    public async ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation)
    {
        if (_options.Json)
        {
            batch.Body ??= BatchBody.Json(batch, _options.Gzip);
        }
        else if (_options.Gzip)
        {
            batch.Body ??= BatchBody.Gzip(batch);
        }

        using BatchContent content = BatchContent.ForHttp(batch, _options.Json ? JsonType : ProtobufType);
        if (_options.Gzip)
        {
            content.Headers.TryAddWithoutValidation("content-encoding", "gzip");
        }

        using HttpRequestMessage request = new(HttpMethod.Post, _options.TracesEndpoint)
        {
            Version = _version,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = content,
        };
        OtlpTransport.AddHeaders(request, _headers, _options.Tls);
        try
        {
            using HttpResponseMessage response = await _invoker.SendAsync(request, cancellation);
            if (!response.IsSuccessStatusCode)
            {
                return await ReadFailureAsync(response, cancellation);
            }

            return await ReadSuccessAsync(response, cancellation) with { WireBytes = content.Length };
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return ExportClassification.ForTransport(exception);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _invoker.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Reads a <c>Retry-After</c>: seconds, or the date at which to come back.</summary>
    internal static TimeSpan? ReadRetryAfter(RetryConditionHeaderValue? value, DateTimeOffset now)
    {
        TimeSpan? delay = value?.Delta ?? value?.Date - now;
        return delay > TimeSpan.Zero ? delay : null;
    }

    private static async ValueTask<ExportOutcome> ReadSuccessAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        ExportOutcome accepted = new(ExportVerdict.Accepted);
        ReadOnlyMemory<byte> body;
        try
        {
            body = await ResponseBody.ReadAsync(response, cancellation);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // The status said it: accepted. Sending it again for want of a warning would only make duplicates.
            return accepted;
        }

        if (IsJson(response))
        {
            return ReadJsonSuccess(body, accepted);
        }

        return ExportTraceResponse.TryRead(body.Span, out long rejected, out string message)
            ? accepted with { RejectedSpans = rejected, Message = message }
            : accepted;
    }

    private async ValueTask<ExportOutcome> ReadFailureAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        string message = "";
        try
        {
            ReadOnlyMemory<byte> body = await ResponseBody.ReadAsync(response, cancellation);
            message = ReadMessage(response, body);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            // The status alone decides.
        }

        TimeSpan? retryAfter = ReadRetryAfter(response.Headers.RetryAfter, _time.GetUtcNow());
        return ExportClassification.ForHttp((int)response.StatusCode, message, retryAfter);
    }

    private static bool IsJson(HttpResponseMessage response) =>
        string.Equals(response.Content.Headers.ContentType?.MediaType, "application/json", StringComparison.OrdinalIgnoreCase);

    private static string ReadMessage(HttpResponseMessage response, ReadOnlyMemory<byte> body)
    {
        if (!IsJson(response))
        {
            bool isProtobuf = string.Equals(
                response.Content.Headers.ContentType?.MediaType, "application/x-protobuf", StringComparison.OrdinalIgnoreCase);
            return isProtobuf && RpcStatus.TryRead(body.Span, out _, out string text, out _) ? text : "";
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("message", out JsonElement message)
                && message.ValueKind == JsonValueKind.String
                    ? message.GetString()!
                    : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }

    private static ExportOutcome ReadJsonSuccess(ReadOnlyMemory<byte> body, ExportOutcome accepted)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("partialSuccess", out JsonElement partial)
                || partial.ValueKind != JsonValueKind.Object)
            {
                return accepted;
            }

            long rejected = 0;
            if (partial.TryGetProperty("rejectedSpans", out JsonElement count))
            {
                // 64-bit numbers are strings in OTLP/JSON, but not everybody does it.
                _ = count.ValueKind == JsonValueKind.Number
                    ? count.TryGetInt64(out rejected)
                    : count.ValueKind == JsonValueKind.String && long.TryParse(count.GetString(), out rejected);
            }

            string message = partial.TryGetProperty("errorMessage", out JsonElement text) && text.ValueKind == JsonValueKind.String
                ? text.GetString()!
                : "";
            return accepted with { RejectedSpans = rejected, Message = message };
        }
        catch (JsonException)
        {
            return accepted;
        }
    }
}
