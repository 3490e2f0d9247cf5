using System.Buffers;
using System.Security.Cryptography.X509Certificates;
using Cluster.Messages.Otlp;
using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Otlp;
using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;
using Microsoft.AspNetCore.Http;

namespace Cluster.Node.Tests.Exporters;

public sealed class OtlpGrpcExporterTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SendAsync_TwoRequests_ArriveAsOne(bool gzip)
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with
        {
            Gzip = gzip,
            Headers = new Dictionary<string, string> { ["X-Scope-OrgID"] = "tenant-1" },
        });
        KeptTraces[] kept = [Kept.Traces(1, 2), Kept.Large(3, 300_000)];
        byte[] expected = [.. kept[0].Request.Span, .. kept[1].Request.Span];

        ExportOutcome outcome = await SendAsync(exporter, kept);

        ReceivedRequest request = Assert.Single(backEnd.Requests);
        Assert.Equal(expected, request.Message);
        Assert.Equal("/opentelemetry.proto.collector.trace.v1.TraceService/Export", request.Path);
        Assert.Equal("HTTP/2", request.Protocol);
        Assert.Equal("application/grpc", request.Headers.ContentType);
        Assert.Equal("trailers", request.Headers.TE);
        Assert.Equal("5000m", request.Headers["grpc-timeout"]);
        Assert.Equal("tenant-1", request.Headers["x-scope-orgid"]);
        Assert.StartsWith("ActorSampling/", request.Headers.UserAgent);
        Assert.Equal(gzip ? "gzip" : null, (string?)request.Headers["grpc-encoding"]);
        Assert.Equal(ExportVerdict.Accepted, outcome.Verdict);
        Assert.Equal(gzip, outcome.WireBytes < expected.Length);
        Assert.All(kept, traces => Assert.True(Kept.IsReturned(traces)));
    }

    [Fact]
    public async Task SendAsync_SecondAttempt_SendsTheSameCompressedBody()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with { Gzip = true });
        KeptTraces kept = Kept.Traces(1);
        ExportBatch batch = new([TraceRun.Whole(kept)]);

        await exporter.SendAsync(batch, CancellationToken.None);
        object? body = batch.Body;
        await exporter.SendAsync(batch, CancellationToken.None);

        Assert.NotNull(body);
        Assert.Same(body, batch.Body);
        Assert.Equal([1UL, 1UL], backEnd.Numbers);
        batch.Release();
        Assert.True(Kept.IsReturned(kept));
    }

    [Fact]
    public async Task SendAsync_TrailersOnlyErrorWithRetryInfo_IsTemporaryWithItsDelay()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        ArrayBufferWriter<byte> details = new();
        RpcStatus.Write(details, 14, "busy", TimeSpan.FromSeconds(2.5));
        backEnd.Answer = (context, _) => BackEnd.GrpcErrorAsync(context, 14, "too%20busy%3A caf%C3%A9", details.WrittenSpan.ToArray());
        await using OtlpGrpcExporter exporter = new(Options(backEnd));

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal(ExportVerdict.Retry, outcome.Verdict);
        Assert.Equal("unavailable", outcome.Reason);
        Assert.Equal("too busy: café", outcome.Message);
        Assert.Equal(TimeSpan.FromSeconds(2.5), outcome.MinimumDelay);
    }

    [Fact]
    public async Task SendAsync_ErrorInTrailersAfterABody_IsRead()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        backEnd.Answer = (context, _) => BackEnd.GrpcReplyAsync(context, [], 3, "span 7 is odd");
        await using OtlpGrpcExporter exporter = new(Options(backEnd));

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.RejectedContent, "invalid_argument"), (outcome.Verdict, outcome.Reason));
        Assert.Equal("span 7 is odd", outcome.Message);
    }

    [Fact]
    public async Task SendAsync_PartialSuccess_SaysHowManyWereRefused()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        ArrayBufferWriter<byte> response = new();
        ExportTraceResponse.Write(response, 3, "three are too old");
        backEnd.Answer = (context, _) => BackEnd.GrpcReplyAsync(context, response.WrittenSpan.ToArray());
        await using OtlpGrpcExporter exporter = new(Options(backEnd));

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1, 2, 3));

        Assert.Equal((ExportVerdict.Accepted, 3, "three are too old"), (outcome.Verdict, outcome.RejectedSpans, outcome.Message));
    }

    [Fact]
    public async Task SendAsync_ResponseWithoutStatus_IsTemporary()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        backEnd.Answer = (context, _) => context.Response.Body.WriteAsync(new byte[5]).AsTask();
        await using OtlpGrpcExporter exporter = new(Options(backEnd));

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Retry, "no_status"), (outcome.Verdict, outcome.Reason));
    }

    [Fact]
    public async Task SendAsync_AnswerOfSomethingElse_GoesByItsHttpStatus()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        backEnd.Answer = (context, _) =>
        {
            context.Response.StatusCode = 503;
            return context.Response.WriteAsync("<html>no healthy upstream</html>");
        };
        await using OtlpGrpcExporter exporter = new(Options(backEnd));

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Retry, "http_503"), (outcome.Verdict, outcome.Reason));
    }

    [Fact]
    public async Task SendAsync_StreamResetInTheMiddleOfTheResponse_IsTemporary()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        backEnd.Answer = async (context, _) =>
        {
            await context.Response.Body.WriteAsync(new byte[3]);
            await context.Response.Body.FlushAsync();
            context.Abort();
        };
        await using OtlpGrpcExporter exporter = new(Options(backEnd));

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Retry, "connection_broken"), (outcome.Verdict, outcome.Reason));
    }

    [Fact]
    public async Task SendAsync_NobodyListens_IsTemporary()
    {
        BackEnd backEnd = await BackEnd.StartGrpcAsync();
        OtlpGrpcExporterOptions options = Options(backEnd);
        await backEnd.DisposeAsync();
        await using OtlpGrpcExporter exporter = new(options);

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Retry, "connection"), (outcome.Verdict, outcome.Reason));
    }

    [Fact]
    public async Task SendAsync_AnswerBeforeTheBodyIsRead_KeepsTheBytesWhileTheyAreWritten()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        backEnd.AnswerUnread = context => BackEnd.GrpcErrorAsync(context, 14, "go away");
        await using OtlpGrpcExporter exporter = new(Options(backEnd));
        KeptTraces kept = Kept.Large(1, 8 << 20);

        ExportOutcome outcome = await SendAsync(exporter, kept);

        Assert.Equal(ExportVerdict.Retry, outcome.Verdict);
        await Eventually.TrueAsync(() => Kept.IsReturned(kept), "the transport lets go of the bytes");
        Assert.Throws<ObjectDisposedException>(kept.Release);
    }

    [Fact]
    public async Task SendAsync_Cancelled_ThrowsAndReturnsTheMemory()
    {
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync();
        TaskCompletionSource arrived = new();
        backEnd.AnswerUnread = async context =>
        {
            arrived.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        };
        await using OtlpGrpcExporter exporter = new(Options(backEnd));
        KeptTraces kept = Kept.Large(1, 4 << 20);
        using CancellationTokenSource cancel = new();

        Task<ExportOutcome> sending = SendUntilAsync(exporter, cancel.Token, kept);
        await arrived.Task;
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await Eventually.TrueAsync(() => Kept.IsReturned(kept), "the transport lets go of the bytes");
    }

    [Fact]
    public async Task SendAsync_TlsWithOwnCa_IsTrusted()
    {
        using TestCertificates certificates = new();
        using X509Certificate2 server = certificates.Create();
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync(certificate: server);
        TlsClientOptions tls = new() { CaFile = certificates.WriteCertificate(server) };
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with { Tls = tls });

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal(new ExportOutcome(ExportVerdict.Accepted, WireBytes: outcome.WireBytes), outcome);
        Assert.Equal([1UL], backEnd.Numbers);
    }

    [Fact]
    public async Task SendAsync_TlsWithUnknownCa_SendsNothingAndIsTemporary()
    {
        using TestCertificates certificates = new();
        using X509Certificate2 server = certificates.Create();
        using X509Certificate2 other = certificates.Create();
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync(certificate: server);
        TlsClientOptions tls = new() { CaFile = certificates.WriteCertificate(other) };
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with { Tls = tls });

        ExportOutcome outcome = await SendAsync(exporter, Kept.Traces(1));

        Assert.Equal((ExportVerdict.Retry, "tls"), (outcome.Verdict, outcome.Reason));
        Assert.Empty(backEnd.Requests);
    }

    [Fact]
    public async Task SendAsync_InsecureSkipVerify_TrustsAnything()
    {
        using TestCertificates certificates = new();
        using X509Certificate2 server = certificates.Create("somewhere.else");
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync(certificate: server);
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with { Tls = new() { InsecureSkipVerify = true } });

        Assert.Equal(ExportVerdict.Accepted, (await SendAsync(exporter, Kept.Traces(1))).Verdict);
    }

    [Theory]
    [InlineData("collector.internal", ExportVerdict.Accepted)]
    [InlineData("collector.external", ExportVerdict.Retry)]
    public async Task SendAsync_ServerNameOverride_IsTheNameToExpect(string expected, object verdict)
    {
        using TestCertificates certificates = new();
        using X509Certificate2 server = certificates.Create("collector.internal");
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync(certificate: server);
        TlsClientOptions tls = new() { CaFile = certificates.WriteCertificate(server), ServerName = expected };
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with { Tls = tls });

        Assert.Equal(verdict, (await SendAsync(exporter, Kept.Traces(1))).Verdict);
    }

    [Fact]
    public async Task SendAsync_ClientCertificate_IsPresented()
    {
        using TestCertificates certificates = new();
        using X509Certificate2 server = certificates.Create();
        using X509Certificate2 client = certificates.Create("client");
        await using BackEnd backEnd = await BackEnd.StartGrpcAsync(certificate: server);
        TlsClientOptions tls = new()
        {
            CaFile = certificates.WriteCertificate(server),
            CertFile = certificates.WriteCertificate(client),
            KeyFile = certificates.WriteKey(client),
        };
        await using OtlpGrpcExporter exporter = new(Options(backEnd) with { Tls = tls });

        Assert.Equal(ExportVerdict.Accepted, (await SendAsync(exporter, Kept.Traces(1))).Verdict);
        Assert.True(Assert.Single(backEnd.Requests).ClientCertificate);
    }

    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("50%25 of%0Ait", "50% of\nit")]
    [InlineData("100% %zz %4", "100% %zz %4")]
    [InlineData("%E2%82%AC", "€")]
    [InlineData("", "")]
    public void DecodeMessage_Escapes_AreDecodedWhenTheyAreValid(string value, string expected) =>
        Assert.Equal(expected, GrpcTrailers.DecodeMessage(value));

    [Theory]
    [InlineData(0.0001, "1m")]
    [InlineData(5, "5000m")]
    [InlineData(99_999.999, "99999999m")]
    [InlineData(100_000, "100000S")]
    public void GrpcTimeout_Duration_HasAtMostEightDigits(double seconds, string expected) =>
        Assert.Equal(expected, OtlpGrpcExporter.GrpcTimeout(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData("Content-Type", "text/plain")]
    [InlineData("grpc-timeout", "1S")]
    [InlineData("x-key", "two\r\nlines")]
    [InlineData("bad name", "value")]
    public void Constructor_HeaderThatCannotBeSent_Throws(string name, string value)
    {
        OtlpGrpcExporterOptions options = new()
        {
            Id = "otlp",
            Endpoint = new Uri("http://localhost:4317"),
            Headers = new Dictionary<string, string> { [name] = value },
        };

        FormatException exception = Assert.Throws<FormatException>(() => new OtlpGrpcExporter(options));
        Assert.Contains($"'{name}'", exception.Message, StringComparison.Ordinal);
    }

    private static OtlpGrpcExporterOptions Options(BackEnd backEnd) => new() { Id = "otlp", Endpoint = backEnd.Address, Gzip = false };

    private static Task<ExportOutcome> SendAsync(OtlpGrpcExporter exporter, params KeptTraces[] kept) =>
        SendUntilAsync(exporter, CancellationToken.None, kept);

    private static async Task<ExportOutcome> SendUntilAsync(OtlpGrpcExporter exporter, CancellationToken until, params KeptTraces[] kept)
    {
        ExportBatch batch = new([.. kept.Select(TraceRun.Whole)]);
        try
        {
            return await exporter.SendAsync(batch, until);
        }
        finally
        {
            batch.Release();
        }
    }
}
