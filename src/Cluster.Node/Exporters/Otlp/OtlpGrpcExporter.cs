using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Cluster.Messages.Otlp;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>
/// OTLP over gRPC (<see href="https://opentelemetry.io/docs/specs/otlp/#otlpgrpc"/>): one unary call an attempt, over HTTP/2, cleartext
/// with prior knowledge or TLS.
/// </summary>
internal sealed class OtlpGrpcExporter : IExportClient
{
    private const string Method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

    private static readonly MediaTypeHeaderValue GrpcType = new("application/grpc");

    private readonly HttpMessageInvoker _invoker;
    private readonly KeyValuePair<string, string>[] _headers;
    private readonly TlsClientOptions _tls;
    private readonly Uri _method;
    private readonly bool _gzip;
    private readonly string? _timeout;

    /// <summary>Reads the files of <c>tls</c>; connects at the first attempt.</summary>
    /// <exception cref="FormatException">A header cannot be sent.</exception>
    /// <exception cref="IOException">A file of <c>tls</c> cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file of it is no certificate or key.</exception>
    public OtlpGrpcExporter(OtlpGrpcExporterOptions options)
    {
        _headers = OtlpTransport.CheckHeaders(options.Headers);
        _tls = options.Tls;
        _gzip = options.Gzip;
        _method = new Uri(options.Endpoint, Method);
        _timeout = options.Timeout > TimeSpan.Zero ? GrpcTimeout(options.Timeout) : null;
        _invoker = OtlpTransport.CreateInvoker(options, options.Endpoint, http2: true);
    }

    /// <inheritdoc/>
    public async ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation)
    {
        if (_gzip)
        {
            batch.Body ??= BatchBody.Gzip(batch);
        }

        using BatchContent content = BatchContent.ForGrpc(batch, _gzip, GrpcType);
        using HttpRequestMessage request = new(HttpMethod.Post, _method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TryAddWithoutValidation("te", "trailers");
        if (_gzip)
        {
            request.Headers.TryAddWithoutValidation("grpc-encoding", "gzip");
        }

        if (_timeout is not null)
        {
            request.Headers.TryAddWithoutValidation("grpc-timeout", _timeout);
        }

        OtlpTransport.AddHeaders(request, _headers, _tls);
        try
        {
            using HttpResponseMessage response = await _invoker.SendAsync(request, cancellation);
            ReadOnlyMemory<byte> body = await ResponseBody.ReadAsync(response, cancellation);
            return Read(response, body.Span) with { WireBytes = content.Length };
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

    /// <summary>A <c>grpc-timeout</c>: at most eight digits and a unit.</summary>
    internal static string GrpcTimeout(TimeSpan timeout)
    {
        long milliseconds = Math.Max((long)timeout.TotalMilliseconds, 1);
        return milliseconds <= 99_999_999
            ? string.Create(CultureInfo.InvariantCulture, $"{milliseconds}m")
            : string.Create(CultureInfo.InvariantCulture, $"{Math.Min(milliseconds / 1000, 99_999_999)}S");
    }

    private static ExportOutcome Read(HttpResponseMessage response, ReadOnlySpan<byte> body)
    {
        if (!GrpcTrailers.TryRead(response, out ExportOutcome outcome))
        {
            return ExportClassification.ForGrpcWithoutStatus((int)response.StatusCode);
        }

        if (outcome.Verdict != ExportVerdict.Accepted || body.Length < BatchContent.GrpcPrefixSize || body[0] != 0)
        {
            return outcome;
        }

        // The message may only say more than "accepted"; one that cannot be read says nothing.
        long length = BinaryPrimitives.ReadUInt32BigEndian(body[1..]);
        ReadOnlySpan<byte> message = body[BatchContent.GrpcPrefixSize..];
        return length <= message.Length && ExportTraceResponse.TryRead(message[..(int)length], out long rejected, out string text)
            ? outcome with { RejectedSpans = rejected, Message = text }
            : outcome;
    }
}
