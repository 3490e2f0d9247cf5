using Cluster.LoadGenerator.Sending;

namespace Cluster.LoadGenerator.Tests.Sending;

public sealed class ResponseMessagesTests
{
    /// <summary>google.rpc.Status of code 8 with RetryInfo of 1.25 s, base64 without padding as gRPC sends it.</summary>
    internal static readonly string RetryIn1250Milliseconds = Convert.ToBase64String(Status()).TrimEnd('=');

    [Fact]
    public void RetryDelay_RetryInfo_IsRead() =>
        Assert.Equal(TimeSpan.FromMilliseconds(1250), ResponseMessages.RetryDelay(RetryIn1250Milliseconds));

    [Theory]
    [InlineData("CAg")]
    [InlineData("not base64!")]
    [InlineData("")]
    public void RetryDelay_NoRetryInfo_IsNull(string details) => Assert.Null(ResponseMessages.RetryDelay(details));

    [Fact]
    public void RejectedSpans_PartialSuccess_IsRead()
    {
        Assert.Equal(300, ResponseMessages.RejectedSpans([0x0A, 3, 0x08, 0xAC, 0x02]));
        Assert.Equal(0, ResponseMessages.RejectedSpans([]));
    }

    private static byte[] Status()
    {
        // Duration { seconds: 1, nanos: 250000000 }
        byte[] retryInfo = [0x0A, 8, 0x08, 1, 0x10, 0x80, 0xE5, 0x9A, 0x77, .. Array.Empty<byte>()];
        retryInfo[1] = (byte)(retryInfo.Length - 2);
        byte[] type = [.. "type.googleapis.com/google.rpc.RetryInfo"u8];
        byte[] any = [0x0A, (byte)type.Length, .. type, 0x12, (byte)retryInfo.Length, .. retryInfo];
        return [0x08, 8, 0x12, 4, .. "busy"u8, 0x1A, (byte)any.Length, .. any];
    }
}
