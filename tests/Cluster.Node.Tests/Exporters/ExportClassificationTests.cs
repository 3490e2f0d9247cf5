using System.Security.Authentication;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Tests.Exporters;

public sealed class ExportClassificationTests
{
    [Theory]
    [InlineData(0, ExportVerdict.Accepted, "ok")]
    [InlineData(1, ExportVerdict.Retry, "cancelled")]
    [InlineData(2, ExportVerdict.RejectedContent, "unknown")]
    [InlineData(3, ExportVerdict.RejectedContent, "invalid_argument")]
    [InlineData(4, ExportVerdict.Retry, "deadline_exceeded")]
    [InlineData(5, ExportVerdict.Rejected, "not_found")]
    [InlineData(6, ExportVerdict.RejectedContent, "already_exists")]
    [InlineData(7, ExportVerdict.Rejected, "permission_denied")]
    [InlineData(8, ExportVerdict.Retry, "resource_exhausted")]
    [InlineData(9, ExportVerdict.RejectedContent, "failed_precondition")]
    [InlineData(10, ExportVerdict.Retry, "aborted")]
    [InlineData(11, ExportVerdict.Retry, "out_of_range")]
    [InlineData(12, ExportVerdict.Rejected, "unimplemented")]
    [InlineData(13, ExportVerdict.RejectedContent, "internal")]
    [InlineData(14, ExportVerdict.Retry, "unavailable")]
    [InlineData(15, ExportVerdict.Retry, "data_loss")]
    [InlineData(16, ExportVerdict.Rejected, "unauthenticated")]
    [InlineData(17, ExportVerdict.RejectedContent, "unknown")]
    public void ForGrpc_EveryCode_IsInTheTable(int code, object verdict, string reason)
    {
        ExportOutcome outcome = ExportClassification.ForGrpc(code, "busy", null);

        Assert.Equal(verdict, outcome.Verdict);
        Assert.Equal(reason, outcome.Reason);
    }

    [Theory]
    [InlineData("grpc: received message larger than max (5000000 vs. 4194304)", false, ExportVerdict.RejectedContent)]
    [InlineData("Received message exceeds the maximum configured message size.", false, ExportVerdict.RejectedContent)]
    [InlineData("gRPC message exceeds maximum size 4194304: 5000000", false, ExportVerdict.RejectedContent)]
    [InlineData("request is larger than 4194304 bytes (receivers.otlp.protocols.grpc.max_recv_msg_size_mib)", false, ExportVerdict.RejectedContent)]
    [InlineData("too large, says somebody who also says when to come back", true, ExportVerdict.Retry)]
    [InlineData("rate limit exceeded", false, ExportVerdict.Retry)]
    [InlineData("", false, ExportVerdict.Retry)]
    public void ForGrpc_ResourceExhausted_IsTemporaryUnlessTheMessageIsTooLarge(string message, bool retryInfo, object verdict)
    {
        TimeSpan? delay = retryInfo ? TimeSpan.FromSeconds(3) : null;

        ExportOutcome outcome = ExportClassification.ForGrpc(8, message, delay);

        Assert.Equal(verdict, outcome.Verdict);
        Assert.Equal(delay, outcome.MinimumDelay);
    }

    [Theory]
    [InlineData(200, ExportVerdict.Accepted)]
    [InlineData(202, ExportVerdict.Accepted)]
    [InlineData(301, ExportVerdict.Rejected)]
    [InlineData(400, ExportVerdict.RejectedContent)]
    [InlineData(401, ExportVerdict.Rejected)]
    [InlineData(403, ExportVerdict.Rejected)]
    [InlineData(404, ExportVerdict.Rejected)]
    [InlineData(405, ExportVerdict.Rejected)]
    [InlineData(408, ExportVerdict.RejectedContent)]
    [InlineData(413, ExportVerdict.RejectedContent)]
    [InlineData(422, ExportVerdict.RejectedContent)]
    [InlineData(429, ExportVerdict.Retry)]
    [InlineData(500, ExportVerdict.RejectedContent)]
    [InlineData(501, ExportVerdict.Rejected)]
    [InlineData(502, ExportVerdict.Retry)]
    [InlineData(503, ExportVerdict.Retry)]
    [InlineData(504, ExportVerdict.Retry)]
    [InlineData(505, ExportVerdict.RejectedContent)]
    public void ForHttp_Status_IsInTheTable(int status, object verdict)
    {
        ExportOutcome outcome = ExportClassification.ForHttp(status, "", TimeSpan.FromSeconds(7));

        Assert.Equal(verdict, outcome.Verdict);
        Assert.Equal(outcome.Verdict == ExportVerdict.Retry ? TimeSpan.FromSeconds(7) : null, outcome.MinimumDelay);
    }

    [Theory]
    [InlineData(200, ExportVerdict.Retry, "no_status")]
    [InlineData(400, ExportVerdict.RejectedContent, "http_400")]
    [InlineData(404, ExportVerdict.Rejected, "http_404")]
    [InlineData(429, ExportVerdict.Retry, "http_429")]
    [InlineData(503, ExportVerdict.Retry, "http_503")]
    public void ForGrpcWithoutStatus_Status_IsInTheTable(int status, object verdict, string reason)
    {
        ExportOutcome outcome = ExportClassification.ForGrpcWithoutStatus(status);

        Assert.Equal(verdict, outcome.Verdict);
        Assert.Equal(reason, outcome.Reason);
    }

    public static TheoryData<Exception, string> TransportErrors => new()
    {
        { new HttpRequestException(HttpRequestError.NameResolutionError, "x"), "name_resolution" },
        { new HttpRequestException(HttpRequestError.ConnectionError, "x"), "connection" },
        { new HttpRequestException(HttpRequestError.SecureConnectionError, "x"), "tls" },
        { new HttpRequestException(HttpRequestError.VersionNegotiationError, "x"), "no_http2" },
        { new AuthenticationException("x"), "tls" },
        { new HttpRequestException(HttpRequestError.ResponseEnded, "x"), "connection_broken" },
        { new IOException("x"), "connection_broken" },
    };

    [Theory]
    [MemberData(nameof(TransportErrors), DisableDiscoveryEnumeration = true)]
    public void ForTransport_AnyException_IsTemporary(Exception exception, string reason)
    {
        ExportOutcome outcome = ExportClassification.ForTransport(exception);

        Assert.Equal(ExportVerdict.Retry, outcome.Verdict);
        Assert.Equal(reason, outcome.Reason);
    }

    /// <summary>What the outer exception points to is there, not the pointer.</summary>
    [Fact]
    public void ForTransport_NestedExceptions_SaysTheCauseItself()
    {
        HttpRequestException exception = new(
            HttpRequestError.SecureConnectionError,
            "The SSL connection could not be established, see inner exception.",
            new AuthenticationException("The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot"));

        Assert.Equal(
            "The SSL connection could not be established "
            + "(The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot)",
            ExportClassification.ForTransport(exception).Message);
    }
}
