using System.Net;
using System.Text;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Tests.Receivers;

public sealed class OtlpHttpEndpointTests
{
    private const string Protobuf = "application/x-protobuf";
    private const string Json = "application/json";

    private static readonly byte[] Message = Bytes.Noise(1000);

    [Theory]
    [InlineData(Protobuf)]
    [InlineData("Application/X-Protobuf; charset=utf-8")]
    public async Task Post_Protobuf_AnswersEmptyProtobuf(string mediaType)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        host.Consumer.Outcome = IntakeOutcome.Taken(7, 0);

        Answer answer = await PostAsync(host, Message, mediaType);

        Assert.Equal((200, Protobuf), (answer.Status, answer.MediaType));
        Assert.Empty(answer.Body);
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
        Assert.Equal((7, 1000, 1000), (host.Http.AcceptedSpans, host.Http.ReceivedBytes, host.Http.InflatedBytes));
        Assert.Equal(1, host.Http.Requests[RequestOutcome.Accepted]);
    }

    [Fact]
    public async Task Post_EmptyProtobuf_IsTaken()
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Assert.Equal(200, (await PostAsync(host, [], Protobuf)).Status);
        Assert.Empty(Assert.Single(host.Consumer.Requests));
    }

    [Theory]
    [InlineData("")]
    [InlineData("; charset=utf-8")]
    public async Task Post_Json_IsHandedOnAsProtobufAndAnsweredInJson(string parameters)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        byte[] json = Encoding.UTF8.GetBytes("""{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}],"other":1}]}""");

        Answer answer = await PostAsync(host, json, Json + parameters);

        Assert.Equal((200, Json, "{}"), (answer.Status, answer.MediaType, answer.Text));
        Assert.Equal([0x0A, 7, 0x12, 5, 0x12, 3, 0x2A, 1, (byte)'a'], Assert.Single(host.Consumer.Requests));
        Assert.Equal((json.Length, json.Length), (host.Http.ReceivedBytes, host.Http.InflatedBytes));
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Fact]
    public async Task Post_JsonInGzip_IsInflatedAndAnsweredWithPartialSuccessInJson()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        host.Consumer.Outcome = IntakeOutcome.Taken(0, 2);

        Answer answer = await PostAsync(host, Bytes.Gzip("""{"resourceSpans":[]}"""u8), Json, "gzip");

        Assert.Equal((200, Json), (answer.Status, answer.MediaType));
        Assert.Equal(
            """{"partialSuccess":{"rejectedSpans":"2","errorMessage":"spans with an invalid trace or span ID were rejected"}}""",
            answer.Text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":1}]}]}]}""")]
    public async Task Post_MalformedJson_Is400InJsonNamingTheByte(string json)
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Answer answer = await PostAsync(host, Encoding.UTF8.GetBytes(json), Json);

        Assert.Equal((400, Json), (answer.Status, answer.MediaType));
        Assert.StartsWith("{\"code\":3,\"message\":\"malformed JSON at byte ", answer.Text, StringComparison.Ordinal);
        Assert.Equal(1, host.Http.Requests[RequestOutcome.Malformed]);
        Assert.Empty(host.Consumer.Requests);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("GZIP")]
    [InlineData("x-gzip")]
    [InlineData("deflate")]
    [InlineData("identity")]
    public async Task Post_Compressed_IsInflated(string encoding)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        byte[] body = encoding switch
        {
            "identity" => Message,
            "deflate" => Bytes.Zlib(Message),
            _ => Bytes.Gzip(Message),
        };

        Answer answer = await PostAsync(host, body, Protobuf, encoding);

        Assert.Equal(200, answer.Status);
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip, gzip")]
    public async Task Post_UnknownEncoding_Is415AndNamesThoseThatAreRead(string encoding)
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Answer answer = await PostAsync(host, Message, Protobuf, encoding);

        Assert.Equal((415, Protobuf, "gzip, deflate, identity"), (answer.Status, answer.MediaType, answer.Header("Accept-Encoding")));
        Assert.Equal((12, $"use gzip, deflate, identity, not Content-Encoding {encoding}", null), answer.Rpc());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("text/plain")]
    [InlineData("application/grpc")]
    public async Task Post_UnknownMediaType_Is415(string? mediaType)
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Answer answer = await PostAsync(host, Message, mediaType);

        Assert.Equal((415, "text/plain"), (answer.Status, answer.MediaType));
        Assert.Equal("unsupported media type: use application/x-protobuf or application/json", answer.Text);
        Assert.Equal(1, host.Http.Requests[RequestOutcome.NotServed]);
        Assert.Empty(host.Consumer.Requests);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("PUT")]
    [InlineData("OPTIONS")]
    public async Task Request_OtherMethod_Is405WithAllow(string method)
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Answer answer = await SendAsync(host, new HttpRequestMessage(new HttpMethod(method), "/v1/traces"));

        Assert.Equal((405, "POST"), (answer.Status, answer.Header("Allow")));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/v1/metrics")]
    [InlineData("/v1/traces/")]
    [InlineData("/V1/traces")]
    public async Task Request_OtherPath_Is404(string path)
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Answer answer = await PostAsync(host, Message, Protobuf, path: path);

        Assert.Equal((404, "not found: traces go to /v1/traces"), (answer.Status, answer.Text));
    }

    [Fact]
    public async Task Post_ToAConfiguredPath_IsTakenThereOnly()
    {
        await using DoorHost host = await DoorHost.StartAsync(http: new OtlpHttpOptions { TracesPath = "/otlp" });

        Assert.Equal(200, (await PostAsync(host, Message, Protobuf, path: "/otlp")).Status);
        Assert.Equal(404, (await PostAsync(host, Message, Protobuf)).Status);
    }

    [Theory]
    [InlineData(Refusal.InFlightBytes, 429, 8)]
    [InlineData(Refusal.Memory, 429, 8)]
    [InlineData(Refusal.ExportQueueFull, 429, 8)]
    [InlineData(Refusal.ShuttingDown, 503, 14)]
    [InlineData(Refusal.NotOwner, 503, 14)]
    [InlineData(Refusal.DeadlineExceeded, 503, 4)]
    [InlineData(Refusal.LeaseEnded, 503, 14)]
    [InlineData(Refusal.NotEnoughInSync, 503, 14)]
    [InlineData(Refusal.PeerBusy, 429, 8)]
    [InlineData(Refusal.OwnerUnreachable, 503, 14)]
    public async Task Post_Refused_AnswersStatusAndRetryAfterInWholeSeconds(Refusal refusal, int status, int code)
    {
        await using DoorHost host = await DoorHost.StartAsync(limits: new GatewayLimits { RetryAfter = TimeSpan.FromSeconds(1.2) });
        host.Consumer.Outcome = IntakeOutcome.Refused(refusal);

        Answer answer = await PostAsync(host, Message, Protobuf);

        Assert.Equal((status, Protobuf, "2"), (answer.Status, answer.MediaType, answer.Header("Retry-After")));
        Assert.Equal((code, TimeSpan.FromSeconds(1.2)), (answer.Rpc().Code, answer.Rpc().RetryAfter));
        Assert.Equal((1, 1), (host.Http.Requests[RequestOutcome.Refused], host.Http.Refused[refusal]));
    }

    [Fact]
    public async Task Post_RefusedForLessThanASecond_SaysOneSecondAndAnswersJsonWithJson()
    {
        await using DoorHost host = await DoorHost.StartAsync(limits: new GatewayLimits { RetryAfter = TimeSpan.FromMilliseconds(10) });
        host.Consumer.Admission = Refusal.ShuttingDown;

        Answer answer = await PostAsync(host, "{}"u8.ToArray(), Json);

        Assert.Equal((503, Json, "1"), (answer.Status, answer.MediaType, answer.Header("Retry-After")));
        Assert.Contains("\"code\":14", answer.Text, StringComparison.Ordinal);
        Assert.Contains("the node is shutting down", answer.Text, StringComparison.Ordinal);
        Assert.Empty(host.Consumer.Requests);
    }

    [Fact]
    public async Task Post_RejectedSpans_AnswersPartialSuccess()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        host.Consumer.Outcome = IntakeOutcome.Taken(5, 3);

        Answer answer = await PostAsync(host, Message, Protobuf);

        Assert.Equal(200, answer.Status);
        Assert.True(ExportTraceResponse.TryRead(answer.Body, out long rejected, out string message));
        Assert.Equal((3, "spans with an invalid trace or span ID were rejected"), (rejected, message));
    }

    [Fact]
    public async Task Post_Malformed_Is400WithErrorAndOffset()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        host.Consumer.Outcome = IntakeOutcome.Malformed(WireError.BadWireType, 12);

        Answer answer = await PostAsync(host, Message, Protobuf);

        Assert.Equal((400, null), (answer.Status, answer.Header("Retry-After")));
        Assert.Equal((3, "malformed request: BadWireType at byte 12", null), answer.Rpc());
    }

    [Fact]
    public async Task Post_DamagedGzip_Is400()
    {
        await using DoorHost host = await DoorHost.StartAsync();

        Answer answer = await PostAsync(host, Message, Protobuf, "gzip");

        Assert.Equal(400, answer.Status);
        Assert.Equal((3, "compressed data are damaged, cut short, or followed by other bytes", null), answer.Rpc());
    }

    [Theory]
    [InlineData(-1, false, 200)]
    [InlineData(0, false, 200)]
    [InlineData(1, false, 413)]
    [InlineData(-1, true, 200)]
    [InlineData(0, true, 200)]
    [InlineData(1, true, 413)]
    public async Task Post_AroundTheSizeLimit_IsTakenUpToIt(int over, bool chunked, int status)
    {
        const int Limit = 100_000;
        await using DoorHost host = await DoorHost.StartAsync(http: new OtlpHttpOptions { MaxBodyBytes = Limit });
        byte[] body = Bytes.Noise(Limit + over);

        Answer answer = await PostAsync(host, body, Protobuf, chunked: chunked);

        Assert.Equal(status, answer.Status);
        if (status == 200)
        {
            Assert.Equal(body, Assert.Single(host.Consumer.Requests));
        }
        else
        {
            Assert.Equal((8, "request is larger than 100000 bytes (max_request_body_size)", null), answer.Rpc());
            Assert.Equal(1, host.Http.Requests[RequestOutcome.TooLarge]);
        }

        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Fact]
    public async Task Post_FrameTooLong_Is413ForGood()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        byte[] body = host.Consumer.RouteAmplified();

        Answer answer = await PostAsync(host, body, Protobuf);

        (int code, string message, TimeSpan? retryAfter) = answer.Rpc();
        Assert.Equal((413, 8, null, null), (answer.Status, code, retryAfter, answer.Header("Retry-After")));
        Assert.StartsWith("request is too large: its spans of one shard take 100", message, StringComparison.Ordinal);
        Assert.EndsWith("send fewer scopes or smaller resource attributes in a request", message, StringComparison.Ordinal);
        Assert.Equal((1, 0), (host.Http.Requests[RequestOutcome.TooLarge], host.Http.Requests[RequestOutcome.Refused]));
    }

    [Fact]
    public async Task Post_GzipBomb_Is413AndHoldsNothing()
    {
        await using DoorHost host = await DoorHost.StartAsync(http: new OtlpHttpOptions { MaxBodyBytes = 1 << 20 });

        Answer answer = await PostAsync(host, Bytes.Gzip(new byte[64 << 20]), Protobuf, "gzip");

        Assert.Equal(413, answer.Status);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Fact]
    public async Task Post_ConsumerThrows_Is500AndSaysNoMore()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        host.Consumer.Answer = (_, _) => throw new InvalidOperationException("a bug");

        Answer answer = await PostAsync(host, Message, Protobuf);

        Assert.Equal(500, answer.Status);
        Assert.Equal((13, "internal error", null), answer.Rpc());
    }

    private static Task<Answer> PostAsync(
        DoorHost host, byte[] body, string? mediaType, string? encoding = null, string path = "/v1/traces", bool chunked = false)
    {
        HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Headers.TransferEncodingChunked = chunked;
        if (mediaType is not null)
        {
            request.Content.Headers.TryAddWithoutValidation("Content-Type", mediaType);
        }

        if (encoding is not null)
        {
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        }

        return SendAsync(host, request);
    }

    private static async Task<Answer> SendAsync(DoorHost host, HttpRequestMessage request)
    {
        using HttpClient client = new() { BaseAddress = host.Receiver.Http!.Url };
        using HttpResponseMessage response = await client.SendAsync(request).WaitAsync(DoorHost.Patience);
        return new Answer(response, await response.Content.ReadAsByteArrayAsync());
    }

    private sealed record Answer(HttpResponseMessage Response, byte[] Body)
    {
        public int Status => (int)Response.StatusCode;

        public string? MediaType => Response.Content.Headers.ContentType?.ToString();

        public string Text => Encoding.UTF8.GetString(Body);

        public string? Header(string name) =>
            Response.Headers.NonValidated.TryGetValues(name, out var values)
            || Response.Content.Headers.NonValidated.TryGetValues(name, out values)
                ? string.Join(", ", values)
                : null;

        public (int Code, string Message, TimeSpan? RetryAfter) Rpc()
        {
            Assert.True(RpcStatus.TryRead(Body, out int code, out string message, out TimeSpan? delay));
            return (code, message, delay);
        }
    }
}
