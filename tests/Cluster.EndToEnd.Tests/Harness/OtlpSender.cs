using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>What a door said.</summary>
/// <param name="HttpStatus">HTTP status.</param>
/// <param name="GrpcStatus">gRPC status; null over HTTP.</param>
/// <param name="Message">grpc-message, or the body.</param>
/// <param name="RejectedSpans">From the partial success.</param>
internal sealed record OtlpAnswer(HttpStatusCode HttpStatus, int? GrpcStatus, string Message, long RejectedSpans)
{
    public bool Accepted => HttpStatus == HttpStatusCode.OK && GrpcStatus is null or 0;
}

/// <summary>Sends requests built by hand, over connections of its own: one, as long as requests come one after the other.</summary>
internal sealed class OtlpSender : IDisposable
{
    private const string ExportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true })
    {
        Timeout = Eventually.Deadline,
    };

    private readonly Uri _url;
    private readonly bool _grpc;

    private OtlpSender(Uri url, bool grpc) => (_url, _grpc) = (url, grpc);

    /// <summary>To an OTLP/gRPC door.</summary>
    public static OtlpSender Grpc(Uri endpoint) => new(new Uri(endpoint, ExportMethod), grpc: true);

    /// <summary>To an OTLP/HTTP door, in protobuf.</summary>
    public static OtlpSender Http(Uri endpoint) => new(new Uri(endpoint, "/v1/traces"), grpc: false);

    public void Dispose() => _client.Dispose();

    /// <summary>Sends; asserts that all of it was accepted.</summary>
    public async Task SendAsync(ExportTraceServiceRequest request)
    {
        OtlpAnswer answer = await TrySendAsync(request.ToByteArray());
        Assert.True(answer.Accepted, answer.ToString());
        Assert.Equal(0, answer.RejectedSpans);
    }

    /// <summary>Sends bytes, whatever they are.</summary>
    public Task<OtlpAnswer> TrySendAsync(byte[] message) => TrySendAsync(message, Eventually.Deadline, TestContext.Current.CancellationToken);

    /// <summary>Sends bytes, and over gRPC the deadline too, as SDKs do.</summary>
    /// <exception cref="HttpRequestException">There is no answer: no connection, or it was lost.</exception>
    /// <exception cref="OperationCanceledException">There is no answer in <paramref name="time"/>, or it was cancelled.</exception>
    public async Task<OtlpAnswer> TrySendAsync(byte[] message, TimeSpan time, CancellationToken cancellationToken)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(time);
        return _grpc ? await SendGrpcAsync(message, time, deadline.Token) : await SendHttpAsync(message, deadline.Token);
    }

    private async Task<OtlpAnswer> SendGrpcAsync(byte[] message, TimeSpan time, CancellationToken cancellationToken)
    {
        byte[] body = new byte[5 + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(1), (uint)message.Length);
        message.CopyTo(body, 5);
        using HttpRequestMessage request = new(HttpMethod.Post, _url)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Headers.Add("grpc-timeout", $"{(long)time.TotalMilliseconds}m");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using HttpResponseMessage response = await _client.SendAsync(request, cancellationToken);
        byte[] answer = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        int status = int.Parse(Value(response, "grpc-status") ?? throw new InvalidOperationException("no grpc-status"));
        long rejected = answer.Length > 5 ? RejectedSpans(answer[5..]) : 0;
        return new OtlpAnswer(response.StatusCode, status, Uri.UnescapeDataString(Value(response, "grpc-message") ?? ""), rejected);
    }

    private async Task<OtlpAnswer> SendHttpAsync(byte[] message, CancellationToken cancellationToken)
    {
        using ByteArrayContent content = new(message);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        using HttpResponseMessage response = await _client.PostAsync(_url, content, cancellationToken);
        byte[] answer = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return response.IsSuccessStatusCode
            ? new OtlpAnswer(response.StatusCode, null, "", RejectedSpans(answer))
            : new OtlpAnswer(response.StatusCode, null, Encoding.UTF8.GetString(answer), 0);
    }

    private static long RejectedSpans(byte[] answer) =>
        ExportTraceServiceResponse.Parser.ParseFrom(answer).PartialSuccess?.RejectedSpans ?? 0;

    /// <summary>From the trailers, or of an answer without a body from the headers.</summary>
    private static string? Value(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out IEnumerable<string>? values) || response.Headers.TryGetValues(name, out values)
            ? values.First()
            : null;
}
