using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Tests.Receivers;

public sealed class OtlpGrpcEndpointTests
{
    private static readonly byte[] Message = Bytes.Noise(1000);

    [Fact]
    public async Task Export_Taken_AnswersEmptyMessageAndStatusInTrailers()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Outcome = IntakeOutcome.Taken(7, 0);

        GrpcResult result = await client.ExportAsync(Message);

        Assert.Equal((200, 0, "", false), (result.HttpStatus, result.Code, result.Message, result.TrailersOnly));
        Assert.Equal(new byte[5], result.Body);
        Assert.Equal("application/grpc", result.Response.Content.Headers.ContentType!.ToString());
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
        Assert.Equal((7, 0), (host.Grpc.AcceptedSpans, host.Grpc.RejectedSpans));
        Assert.Equal((1000, 1000), (host.Grpc.ReceivedBytes, host.Grpc.InflatedBytes));
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.Accepted]);
    }

    [Fact]
    public async Task Export_EmptyMessage_IsTaken()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.ExportAsync([]);

        Assert.Equal(0, result.Code);
        Assert.Empty(Assert.Single(host.Consumer.Requests));
    }

    [Fact]
    public async Task Export_RejectedSpans_AnswersPartialSuccess()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Outcome = IntakeOutcome.Taken(5, 300);

        GrpcResult result = await client.ExportAsync(Message);

        Assert.Equal(0, result.Code);
        Assert.Equal(GrpcTestClient.Frame(result.Body.AsSpan(5)), result.Body);
        Assert.True(ExportTraceResponse.TryRead(result.Body.AsSpan(5), out long rejected, out string message));
        Assert.Equal((300, "spans with an invalid trace or span ID were rejected"), (rejected, message));
        Assert.Equal((5, 300), (host.Grpc.AcceptedSpans, host.Grpc.RejectedSpans));
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.PartlyAccepted]);
    }

    [Theory]
    [InlineData(Refusal.InFlightBytes, 8)]
    [InlineData(Refusal.Memory, 8)]
    [InlineData(Refusal.ExportQueueFull, 8)]
    [InlineData(Refusal.ShuttingDown, 14)]
    [InlineData(Refusal.NotOwner, 14)]
    [InlineData(Refusal.DeadlineExceeded, 4)]
    [InlineData(Refusal.LeaseEnded, 14)]
    [InlineData(Refusal.NotEnoughInSync, 14)]
    [InlineData(Refusal.PeerBusy, 8)]
    [InlineData(Refusal.OwnerUnreachable, 14)]
    public async Task Export_Refused_AnswersCodeWithRetryInfo(Refusal refusal, int code)
    {
        await using DoorHost host = await DoorHost.StartAsync(limits: new GatewayLimits { RetryAfter = TimeSpan.FromSeconds(2.5) });
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Outcome = IntakeOutcome.Refused(refusal);

        GrpcResult result = await client.ExportAsync(Message);

        Assert.Equal((200, code, true), (result.HttpStatus, result.Code, result.TrailersOnly));
        Assert.DoesNotContain("=", result.Header("grpc-status-details-bin"), StringComparison.Ordinal);
        Assert.True(RpcStatus.TryRead(result.Details(), out int detailCode, out string message, out TimeSpan? delay));
        Assert.Equal((code, result.Message, TimeSpan.FromSeconds(2.5)), (detailCode, message, delay));
        Assert.False(message.StartsWith("refused", StringComparison.Ordinal), "there are words for each refusal");
        Assert.Equal((1, 1), (host.Grpc.Requests[RequestOutcome.Refused], host.Grpc.Refused[refusal]));
    }

    [Fact]
    public async Task Export_NotAdmitted_IsRefusedBeforeItsBody()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Admission = Refusal.Memory;
        PiecewiseContent silent = new();

        GrpcResult result = await client.CallAsync(OtlpGrpcEndpoint.ExportPath, silent);

        Assert.Equal((8, "memory for buffered spans is used up"), (result.Code, result.Message));
        Assert.Equal(1, host.Grpc.Refused[Refusal.Memory]);
        Assert.Empty(host.Consumer.Requests);
        silent.End();
    }

    [Fact]
    public async Task Export_Malformed_NamesErrorAndOffsetWithoutRetryInfo()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Outcome = IntakeOutcome.Malformed(WireError.VarintTooLong, 417);

        GrpcResult result = await client.ExportAsync(Message);

        Assert.Equal((200, 3, true), (result.HttpStatus, result.Code, result.TrailersOnly));
        Assert.Equal("malformed request: VarintTooLong at byte 417", result.Message);
        Assert.Null(result.Details());
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.Malformed]);
    }

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 0)]
    [InlineData(1, 8)]
    public async Task Export_AroundTheSizeLimit_IsTakenUpToIt(int over, int code)
    {
        const int Limit = 100_000;
        await using DoorHost host = await DoorHost.StartAsync(new OtlpGrpcOptions { MaxMessageBytes = Limit });
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] message = Bytes.Noise(Limit + over);

        GrpcResult result = await client.ExportAsync(message);

        Assert.Equal(code, result.Code);
        if (code == 0)
        {
            Assert.Equal(message, Assert.Single(host.Consumer.Requests));
        }
        else
        {
            Assert.Equal("request is larger than 100000 bytes (max_recv_msg_size_mib)", result.Message);
            Assert.Null(result.Details());
            Assert.Equal(1, host.Grpc.Requests[RequestOutcome.TooLarge]);
            Assert.Empty(host.Consumer.Requests);
        }
    }

    [Fact]
    public async Task Export_FrameTooLong_IsTooLargeForGood()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] message = host.Consumer.RouteAmplified();

        GrpcResult result = await client.ExportAsync(message);

        Assert.Equal((200, 8, true), (result.HttpStatus, result.Code, result.TrailersOnly));
        Assert.StartsWith("request is too large: its spans of one shard take 100", result.Message, StringComparison.Ordinal);
        Assert.EndsWith("send fewer scopes or smaller resource attributes in a request", result.Message, StringComparison.Ordinal);
        Assert.Null(result.Details());
        Assert.Equal((1, 0), (host.Grpc.Requests[RequestOutcome.TooLarge], host.Grpc.Requests[RequestOutcome.Refused]));
    }

    [Fact]
    public async Task Export_InMegabytes_ArrivesWhole()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] message = Bytes.Noise(4 << 20);

        Assert.Equal(0, (await client.ExportAsync(message)).Code);

        Assert.Equal(message, Assert.Single(host.Consumer.Requests));
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Fact]
    public async Task Export_ByteByByte_ArrivesWhole()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] message = [1, 2, 3];
        PiecewiseContent content = new();

        Task<GrpcResult> call = client.CallAsync(OtlpGrpcEndpoint.ExportPath, content);
        foreach (byte b in GrpcTestClient.Frame(message))
        {
            await content.SendAsync(b);
        }

        content.End();

        Assert.Equal(0, (await call).Code);
        Assert.Equal(message, Assert.Single(host.Consumer.Requests));
    }

    [Fact]
    public async Task Export_Gzip_IsInflated()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] compressed = Bytes.Gzip(Message);

        GrpcResult result = await client.CallAsync(
            OtlpGrpcEndpoint.ExportPath,
            new ByteArrayContent(GrpcTestClient.Frame(compressed, flag: 1)),
            headers => headers.Add("grpc-encoding", "gzip"));

        Assert.Equal(0, result.Code);
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
        Assert.Equal((compressed.Length, Message.Length), (host.Grpc.ReceivedBytes, host.Grpc.InflatedBytes));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("identity")]
    public async Task Export_EncodingNamedButFlagUnset_IsTakenAsItIs(string encoding)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.ExportAsync(Message, headers => headers.Add("grpc-encoding", encoding));

        Assert.Equal(0, result.Code);
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
    }

    [Fact]
    public async Task Export_UnknownEncoding_IsUnimplementedAndNamesThoseThatAreRead()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.ExportAsync(Message, headers => headers.Add("grpc-encoding", "snappy"));

        Assert.Equal((200, 12, "unsupported grpc-encoding snappy"), (result.HttpStatus, result.Code, result.Message));
        Assert.Equal("gzip,identity", result.Header("grpc-accept-encoding"));
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.NotServed]);
    }

    [Fact]
    public async Task Export_GzipBomb_IsTooLargeAndHoldsNothing()
    {
        await using DoorHost host = await DoorHost.StartAsync(new OtlpGrpcOptions { MaxMessageBytes = 1 << 20 });
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        byte[] bomb = Bytes.Gzip(new byte[64 << 20]);
        Assert.InRange(bomb.Length, 1, 1 << 20);

        GrpcResult result = await client.CallAsync(
            OtlpGrpcEndpoint.ExportPath,
            new ByteArrayContent(GrpcTestClient.Frame(bomb, flag: 1)),
            headers => headers.Add("grpc-encoding", "gzip"));

        Assert.Equal((8, "request is larger than 1048576 bytes (max_recv_msg_size_mib)"), (result.Code, result.Message));
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    private const string SecondMessage = "more follows the message of ";
    private const string ExactlyOne = " bytes: a unary call has exactly one";
    private const string NoEncoding = "the message is flagged as compressed, but the call names no grpc-encoding";

    public static TheoryData<string, byte[], string?, int, string> BrokenCalls => new()
    {
        { "nothing", [], null, 13, "no request message: a unary call has exactly one" },
        { "part of a prefix", [0, 0, 0], null, 13, "the call ends inside its message of 0 bytes" },
        { "cut", [0, 0, 0, 0, 10, 1, 2, 3], null, 13, "the call ends inside its message of 10 bytes" },
        { "two messages", [0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 7], null, 13, SecondMessage + "1" + ExactlyOne },
        { "more after an empty one", [0, 0, 0, 0, 0, 7], null, 13, SecondMessage + "0" + ExactlyOne },
        { "flag of 2", [2, 0, 0, 0, 0], null, 13, "the compressed flag of the message is neither 0 nor 1" },
        { "compressed, encoding unnamed", [1, 0, 0, 0, 1, 7], null, 13, NoEncoding },
        { "compressed, identity", [1, 0, 0, 0, 1, 7], "identity", 13, NoEncoding },
        { "no gzip", [1, 0, 0, 0, 1, 7], "gzip", 3, "compressed data are damaged, cut short, or followed by other bytes" },
        { "4 GiB announced", [0, 255, 255, 255, 255, 1], null, 8, "request is larger than 4194304 bytes (max_recv_msg_size_mib)" },
    };

    [Theory]
    [MemberData(nameof(BrokenCalls))]
    public async Task Export_BrokenCall_AnswersAsGrpcServersDo(string name, byte[] body, string? encoding, int code, string message)
    {
        Assert.NotEmpty(name);
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.CallAsync(OtlpGrpcEndpoint.ExportPath, new ByteArrayContent(body), headers =>
        {
            if (encoding is not null)
            {
                headers.Add("grpc-encoding", encoding);
            }
        });

        Assert.Equal((200, code, message, true), (result.HttpStatus, result.Code, result.Message, result.TrailersOnly));
        Assert.Empty(host.Consumer.Requests);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Theory]
    [InlineData("application/grpc", 200)]
    [InlineData("application/grpc+proto", 200)]
    [InlineData("Application/GRPC+proto; charset=utf-8", 200)]
    [InlineData("application/grpc+json", 415)]
    [InlineData("application/grpc-web", 415)]
    [InlineData("application/x-protobuf", 415)]
    public async Task Export_ContentType_MustBeGrpcWithProtobuf(string contentType, int httpStatus)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.CallAsync(
            OtlpGrpcEndpoint.ExportPath, new ByteArrayContent(GrpcTestClient.Frame(Message)), contentType: contentType);

        Assert.Equal(httpStatus, result.HttpStatus);
        Assert.Equal(httpStatus == 200 ? 0 : -1, result.Code);
    }

    [Fact]
    public async Task Call_WithGet_Is405()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using HttpClient client = new()
        {
            DefaultRequestVersion = new Version(2, 0),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

        using HttpResponseMessage response = await client.GetAsync(
            new Uri(host.Receiver.Grpc!.Url, OtlpGrpcEndpoint.ExportPath), TestContext.Current.CancellationToken);

        Assert.Equal(405, (int)response.StatusCode);
        Assert.Equal("POST", string.Join(",", response.Content.Headers.Allow));
    }

    [Theory]
    [InlineData("/opentelemetry.proto.collector.trace.v1.TraceService/Import")]
    [InlineData("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")]
    [InlineData("/grpc.health.v1.Health/List")]
    [InlineData("/")]
    public async Task Call_UnknownMethod_IsUnimplemented(string path)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.CallAsync(path, new ByteArrayContent(GrpcTestClient.Frame(Message)));

        Assert.Equal((200, 12, $"unknown method {path}", true), (result.HttpStatus, result.Code, result.Message, result.TrailersOnly));
    }

    [Fact]
    public async Task Call_LongUnknownMethod_IsNamedInPart()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);

        GrpcResult result = await client.CallAsync("/" + new string('x', 5000), new ByteArrayContent(GrpcTestClient.Frame(Message)));

        Assert.Equal((12, $"unknown method /{new string('x', 127)}..."), (result.Code, result.Message));
    }

    [Theory]
    [InlineData("plain text ~", "plain text ~")]
    [InlineData("100 %", "100 %25")]
    [InlineData("a\nb\u007f", "a%0Ab%7F")]
    [InlineData("é€😀", "%C3%A9%E2%82%AC%F0%9F%98%80")]
    public void PercentEncode_Message_LeavesPrintableAsciiOnly(string message, string encoded)
    {
        Assert.Equal(encoded, GrpcCall.PercentEncode(message));
    }

    [Fact]
    public void Refused_EveryReason_HasAnAnswerOfItsOwnWithAHint()
    {
        OutcomeMapping mapping = new(TimeSpan.FromSeconds(3));

        foreach (Refusal refusal in Enum.GetValues<Refusal>().Skip(1))
        {
            IntakeStatus status = mapping.Refused(refusal);
            Assert.Equal((refusal, RequestOutcome.Refused, TimeSpan.FromSeconds(3)), (status.Refusal, status.Outcome, status.RetryAfter));
            Assert.DoesNotContain("refused", status.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Export_ConsumerThrows_IsInternalAndSaysNoMore()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url);
        host.Consumer.Answer = (_, _) => throw new InvalidOperationException("a bug");

        GrpcResult result = await client.ExportAsync(Message);

        Assert.Equal((200, 13, "internal error"), (result.HttpStatus, result.Code, result.Message));
        Assert.Equal(1, host.Grpc.Requests[RequestOutcome.Failed]);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }
}
