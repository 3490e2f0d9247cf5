using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Cluster.Gateway.Receivers.Otlp;

namespace Cluster.Gateway.Tests.Receivers;

/// <summary>A gRPC client as plain as can be: one call, its status from trailers or headers.</summary>
internal sealed class GrpcTestClient : IDisposable
{
    private readonly HttpClient _http;

    public GrpcTestClient(Uri address, SocketsHttpHandler? handler = null)
    {
        _http = new HttpClient(handler ?? new SocketsHttpHandler())
        {
            BaseAddress = address,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    public static byte[] Frame(ReadOnlySpan<byte> message, byte flag = 0)
    {
        byte[] frame = new byte[5 + message.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame.AsSpan(5));
        return frame;
    }

    public Task<GrpcResult> ExportAsync(ReadOnlySpan<byte> message, Action<HttpRequestHeaders>? headers = null) =>
        CallAsync(OtlpGrpcEndpoint.ExportPath, new ByteArrayContent(Frame(message)), headers);

    public async Task<GrpcResult> CallAsync(
        string path, HttpContent content, Action<HttpRequestHeaders>? headers = null, string contentType = "application/grpc")
    {
        Task<HttpResponseMessage> call = SendAsync(path, content, headers, contentType, CancellationToken.None);
        using HttpResponseMessage response = await call.WaitAsync(DoorHost.Patience);
        byte[] body = await response.Content.ReadAsByteArrayAsync().WaitAsync(DoorHost.Patience);
        return GrpcResult.Read(response, body);
    }

    public Task<HttpResponseMessage> SendAsync(
        string path, HttpContent content, Action<HttpRequestHeaders>? headers, string contentType, CancellationToken cancellationToken)
    {
        HttpRequestMessage request = new(HttpMethod.Post, path)
        {
            Content = content,
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        headers?.Invoke(request.Headers);
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    public void Dispose() => _http.Dispose();
}

/// <summary>What a call ended with.</summary>
/// <param name="HttpStatus">HTTP status.</param>
/// <param name="Code">gRPC status; -1 without one.</param>
/// <param name="Message">gRPC message as on the wire.</param>
/// <param name="TrailersOnly">The status came in the headers.</param>
/// <param name="Body">Messages with their prefixes.</param>
/// <param name="Response">For further headers.</param>
internal sealed record GrpcResult(int HttpStatus, int Code, string Message, bool TrailersOnly, byte[] Body, HttpResponseMessage Response)
{
    public static GrpcResult Read(HttpResponseMessage response, byte[] body)
    {
        string? inHeaders = Value(response.Headers, "grpc-status");
        string? inTrailers = Value(response.TrailingHeaders, "grpc-status");
        Assert.True(inHeaders is null || inTrailers is null, "status in headers and in trailers");
        return new GrpcResult(
            (int)response.StatusCode,
            int.Parse(inHeaders ?? inTrailers ?? "-1", CultureInfo.InvariantCulture),
            Value(response.Headers, "grpc-message") ?? Value(response.TrailingHeaders, "grpc-message") ?? "",
            inHeaders is not null,
            body,
            response);
    }

    public string? Header(string name) => Value(Response.Headers, name);

    /// <summary><c>grpc-status-details-bin</c>, padded again.</summary>
    public byte[]? Details()
    {
        string? text = Header("grpc-status-details-bin");
        return text is null ? null : Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='));
    }

    private static string? Value(HttpHeaders headers, string name) =>
        headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(",", values) : null;
}
