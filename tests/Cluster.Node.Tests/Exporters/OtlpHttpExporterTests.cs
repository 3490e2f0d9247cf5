using System.Buffers;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Otlp;
using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;
using Cluster.Testing;
using Microsoft.AspNetCore.Http;

namespace Cluster.Node.Tests.Exporters;

public sealed class OtlpHttpExporterTests
{
    private readonly ManualTimeProvider _time = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SendAsync_Protobuf_ArrivesAsItIs(bool gzip)
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        await using OtlpHttpExporter exporter = new(Options(backEnd) with { Gzip = gzip }, _time);
        KeptTraces[] kept = [Kept.Traces(1, 2), Kept.Large(3, 300_000)];
        byte[] expected = [.. kept[0].Request.Span, .. kept[1].Request.Span];

        ExportOutcome outcome = await SendAsync(exporter, kept);

        ReceivedRequest request = Assert.Single(backEnd.Requests);
        Assert.Equal(expected, request.Message);
        Assert.Equal("/v1/traces", request.Path);
        Assert.Equal("HTTP/1.1", request.Protocol);
        Assert.Equal("application/x-protobuf", request.Headers.ContentType);
        Assert.Equal(gzip ? "gzip" : null, (string?)request.Headers.ContentEncoding);
        Assert.Equal(outcome.WireBytes, request.Headers.ContentLength);
        Assert.Equal(ExportVerdict.Accepted, outcome.Verdict);
        Assert.All(kept, traces => Assert.True(Kept.IsReturned(traces)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SendAsync_Json_IsOneDocumentOfAllTraces(bool gzip)
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        await using OtlpHttpExporter exporter = new(Options(backEnd) with { Gzip = gzip, Json = true }, _time);

        await SendAsync(exporter, Kept.Traces(1, 2), Kept.Traces(3));

        ReceivedRequest request = Assert.Single(backEnd.Requests);
        Assert.Equal("application/json", request.Headers.ContentType);
        using PooledBuffer protobuf = new();
        Assert.True(OtlpJson.TryReadRequest(request.Message, protobuf, out OtlpJsonError error), error.Problem);
        Assert.Equal([1UL, 2UL, 3UL], Kept.Numbers(protobuf.WrittenSpan));
    }

    [Fact]
    public async Task SendAsync_Tls_NegotiatesHttp2()
    {
        using TestCertificates certificates = new();
        using X509Certificate2 server = certificates.Create();
        await using BackEnd backEnd = await BackEnd.StartHttpAsync(certificate: server);
        TlsClientOptions tls = new() { CaFile = certificates.WriteCertificate(server) };
        await using OtlpHttpExporter exporter = new(Options(backEnd) with { Tls = tls }, _time);

        Assert.Equal(ExportVerdict.Accepted, (await SendAsync(exporter, Kept.Traces(1))).Verdict);
        Assert.Equal("HTTP/2", Assert.Single(backEnd.Requests).Protocol);
    }

    [Fact]
    public async Task SendAsync_BusyWithSeconds_IsTemporaryWithTheDelay()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        ArrayBufferWriter<byte> status = new();
        RpcStatus.Write(status, 8, "come back later", null);
        backEnd.Answer = async (context, _) =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "17";
            context.Response.ContentType = "application/x-protobuf";
            await context.Response.Body.WriteAsync(status.WrittenMemory);
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal(new ExportOutcome(ExportVerdict.Retry, "http_429", "come back later", TimeSpan.FromSeconds(17)), outcome);
    }

    [Fact]
    public async Task SendAsync_BusyUntilADate_IsTemporaryUntilThen()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = (context, _) =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = _time.GetUtcNow().AddSeconds(90).ToString("R");
            return Task.CompletedTask;
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal(new ExportOutcome(ExportVerdict.Retry, "http_503", "HTTP status 503", TimeSpan.FromSeconds(90)), outcome);
    }

    [Fact]
    public async Task SendAsync_BadRequestInJson_IsRefusedWithItsMessage()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = async (context, _) =>
        {
            context.Response.StatusCode = 400;
            context.Response.ContentType = "application/json; charset=utf-8";
            await context.Response.WriteAsync("""{"code":3,"message":"span 7 is odd"}""");
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal(new ExportOutcome(ExportVerdict.RejectedContent, "http_400", "span 7 is odd"), outcome);
    }

    [Theory]
    [InlineData("""{"partialSuccess":{"rejectedSpans":"2","errorMessage":"old"}}""", 2, "old")]
    [InlineData("""{"partialSuccess":{"rejectedSpans":2}}""", 2, "")]
    [InlineData("""{"partialSuccess":{}}""", 0, "")]
    [InlineData("{}", 0, "")]
    [InlineData("[]", 0, "")]
    [InlineData("ok", 0, "")]
    [InlineData("", 0, "")]
    public async Task SendAsync_JsonResponse_IsAcceptedWhateverItSays(string body, long rejected, string message)
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = async (context, _) =>
        {
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(body);
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Accepted, rejected, message), (outcome.Verdict, outcome.RejectedSpans, outcome.Message));
    }

    [Fact]
    public async Task SendAsync_PartialSuccess_SaysHowManyWereRefused()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        ArrayBufferWriter<byte> response = new();
        ExportTraceResponse.Write(response, 3, "three are too old");
        backEnd.Answer = async (context, _) =>
        {
            context.Response.ContentType = "application/x-protobuf";
            await context.Response.Body.WriteAsync(response.WrittenMemory);
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1, 2));

        Assert.Equal((ExportVerdict.Accepted, 3, "three are too old"), (outcome.Verdict, outcome.RejectedSpans, outcome.Message));
    }

    [Fact]
    public async Task SendAsync_EndlessPage_KeepsOnlyItsBeginning()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = async (context, _) =>
        {
            context.Response.StatusCode = 400;
            await context.Response.Body.WriteAsync(new byte[5 << 20]);
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal(new ExportOutcome(ExportVerdict.RejectedContent, "http_400", "HTTP status 400"), outcome);
    }

    [Fact]
    public async Task SendAsync_Redirect_IsRefusedAndNotFollowed()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = (context, request) =>
        {
            backEnd.Requests.Enqueue(request);
            context.Response.Redirect("/elsewhere", permanent: false, preserveMethod: true);
            return Task.CompletedTask;
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Rejected, "http_307"), (outcome.Verdict, outcome.Reason));
        Assert.Single(backEnd.Requests);
    }

    [Fact]
    public async Task SendAsync_ConnectionClosedInsteadOfAnAnswer_IsTemporary()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = (context, _) =>
        {
            context.Abort();
            return Task.CompletedTask;
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Retry, "connection_broken"), (outcome.Verdict, outcome.Reason));
    }

    [Fact]
    public async Task SendAsync_AcceptedButCutOff_IsAccepted()
    {
        await using BackEnd backEnd = await BackEnd.StartHttpAsync();
        backEnd.Answer = async (context, _) =>
        {
            // Kestrel closes the connection after a response that is shorter than it said.
            context.Response.ContentLength = 100;
            await context.Response.Body.WriteAsync(new byte[10]);
        };
        await using OtlpHttpExporter exporter = new(Options(backEnd), _time);

        Assert.Equal(ExportVerdict.Accepted, (await SendAsync(exporter, Kept.Traces(1))).Verdict);
    }

    [Fact]
    public void ReadRetryAfter_DateInThePast_IsNoDelay() =>
        Assert.Null(OtlpHttpExporter.ReadRetryAfter(
            new RetryConditionHeaderValue(_time.GetUtcNow().AddSeconds(-1)), _time.GetUtcNow()));

    [Fact]
    public void Redact_UserInformationAndQuery_AreLeftOut() =>
        Assert.Equal(
            "https://host:4318/v1/traces", OtlpTransport.Redact(new Uri("https://user:secret@host:4318/v1/traces?key=secret")));

    private static OtlpHttpExporterOptions Options(BackEnd backEnd) => new()
    {
        Id = "otlphttp",
        TracesEndpoint = new Uri(backEnd.Address, "/v1/traces"),
        Gzip = false,
    };

    private static async Task<ExportOutcome> SendAsync(OtlpHttpExporter exporter, params KeptTraces[] kept)
    {
        ExportBatch batch = new([.. kept.Select(TraceRun.Whole)]);
        try
        {
            return await exporter.SendAsync(batch, CancellationToken.None);
        }
        finally
        {
            batch.Release();
        }
    }
}
