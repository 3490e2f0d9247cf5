using System.Buffers;
using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Testing.Rpc;
using Google.Protobuf;
using OracleStatus = Cluster.Testing.Rpc.RpcStatus;
using RpcStatus = Cluster.Messages.Otlp.RpcStatus;

namespace Cluster.Messages.Tests.Otlp;

public sealed class RpcStatusTests
{
    [Theory]
    [InlineData(8, "too many", 15_000_000L, 1L, 500_000_000)]
    [InlineData(14, "", 0L, 0L, 0)]
    [InlineData(3, "größe", 1L, 0L, 100)]
    [InlineData(14, "x", 6_000_000_000L, 600L, 0)]
    public void Write_WithRetry_IsReadByTheGeneratedParser(int code, string message, long ticks, long seconds, int nanos)
    {
        ArrayBufferWriter<byte> output = new();

        RpcStatus.Write(output, code, message, TimeSpan.FromTicks(ticks));

        OracleStatus expected = new() { Code = code, Message = message };
        expected.Details.Add(new Detail
        {
            TypeUrl = "type.googleapis.com/google.rpc.RetryInfo",
            Value = new RetryInfo { RetryDelay = new Delay { Seconds = seconds, Nanos = nanos } }.ToByteString(),
        });
        OracleStatus actual = OracleStatus.Parser.ParseFrom(output.WrittenSpan);
        Assert.Equal(RetryInfo.Parser.ParseFrom(expected.Details[0].Value), RetryInfo.Parser.ParseFrom(actual.Details[0].Value));
        actual.Details[0].Value = expected.Details[0].Value;
        Assert.Equal(expected, actual);
        Assert.True(RpcStatus.TryRead(output.WrittenSpan, out int readCode, out string readMessage, out TimeSpan? delay));
        Assert.Equal((code, message, TimeSpan.FromTicks(ticks)), (readCode, readMessage, delay));
    }

    [Fact]
    public void Write_WithoutRetry_HasNoDetails()
    {
        ArrayBufferWriter<byte> output = new();

        RpcStatus.Write(output, 3, "bad", null);

        Assert.Equal(new OracleStatus { Code = 3, Message = "bad" }.ToByteArray(), output.WrittenSpan);
    }

    [Fact]
    public void Write_LongestDelay_IsWithinTheRangeOfADuration()
    {
        ArrayBufferWriter<byte> output = new();

        RpcStatus.Write(output, 14, "", TimeSpan.MaxValue);

        Assert.True(RpcStatus.TryRead(output.WrittenSpan, out _, out _, out TimeSpan? delay));
        Assert.Equal(315_576_000_000, (long)delay!.Value.TotalSeconds);
    }

    [Fact]
    public void Write_NegativeDelay_Throws()
    {
        ArrayBufferWriter<byte> output = new();

        Assert.Throws<ArgumentOutOfRangeException>(() => RpcStatus.Write(output, 14, "", TimeSpan.FromTicks(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => RpcStatus.WriteJson(output, 14, "", TimeSpan.FromTicks(-1)));
    }

    [Theory]
    [InlineData(0, "", null, "{}")]
    [InlineData(8, "", 0L, """{"code":8,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0s"}]}""")]
    [InlineData(3, "a \"b\" é", null, """{"code":3,"message":"a \"b\" é"}""")]
    [InlineData(8, "", 15_000_000L, """{"code":8,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}""")]
    public void WriteJson_Always_FollowsTheConventions(int code, string message, long? ticks, string expected)
    {
        ArrayBufferWriter<byte> output = new();

        RpcStatus.WriteJson(output, code, message, ticks is { } value ? TimeSpan.FromTicks(value) : null);

        Assert.Equal(expected, Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.True(RpcStatus.TryReadJson(output.WrittenSpan, out int readCode, out string readMessage, out TimeSpan? delay));
        Assert.Equal((code, message, ticks), (readCode, readMessage, delay?.Ticks));
    }

    [Theory]
    [InlineData("\"0.000000199s\"", 1L)]
    [InlineData("\"3s\"", 30_000_000L)]
    [InlineData("\"-3s\"", 0L)]
    [InlineData("\"999999999999s\"", 3_155_760_000_000_000_000L)]
    [InlineData("\"3\"", null)]
    [InlineData("\"s\"", null)]
    [InlineData("\"1e3s\"", null)]
    [InlineData("3", null)]
    [InlineData("null", null)]
    public void TryReadJson_Delay_IsReadWhenItIsOne(string json, long? ticks)
    {
        json = $$"""{"details":[5,{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":{{json}}}]}""";

        Assert.True(RpcStatus.TryReadJson(Encoding.UTF8.GetBytes(json), out _, out _, out TimeSpan? delay));

        Assert.Equal(ticks, delay?.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("<html>")]
    [InlineData("""{"code":"x"}""")]
    [InlineData("""{"code":1.5}""")]
    [InlineData("""{"message":{}}""")]
    [InlineData("""{"details":{}}""")]
    public void TryReadJson_NoStatus_IsFalse(string json) =>
        Assert.False(RpcStatus.TryReadJson(Encoding.UTF8.GetBytes(json), out _, out _, out _));

    [Fact]
    public void TryRead_OtherDetails_AreIgnored()
    {
        OracleStatus status = new() { Code = 8 };
        status.Details.Add(new Detail { TypeUrl = "type.googleapis.com/google.rpc.DebugInfo", Value = ByteString.CopyFrom(0xFF) });
        RetryInfo info = new() { RetryDelay = new Delay { Seconds = 3 } };
        status.Details.Add(new Detail { TypeUrl = "other.host/google.rpc.RetryInfo", Value = info.ToByteString() });

        Assert.True(RpcStatus.TryRead(status.ToByteArray(), out _, out _, out TimeSpan? delay));

        Assert.Equal(TimeSpan.FromSeconds(3), delay);
    }

    [Theory]
    [InlineData(-5, -5, 0)]
    [InlineData(-5, 999_999_999, 0)]
    [InlineData(1, -1, 10_000_000)]
    [InlineData(0, 199, 1)]
    [InlineData(0, int.MaxValue, 9_999_999)]
    [InlineData(long.MaxValue, 0, 315_576_000_000 * 10_000_000)]
    public void TryRead_OddDelay_IsBroughtIntoRange(long seconds, int nanos, long ticks)
    {
        OracleStatus status = new();
        status.Details.Add(new Detail
        {
            TypeUrl = "type.googleapis.com/google.rpc.RetryInfo",
            Value = new RetryInfo { RetryDelay = new Delay { Seconds = seconds, Nanos = nanos } }.ToByteString(),
        });

        Assert.True(RpcStatus.TryRead(status.ToByteArray(), out _, out _, out TimeSpan? delay));

        Assert.Equal(TimeSpan.FromTicks(ticks), delay);
    }

    [Fact]
    public void TryRead_NoBytes_IsOk()
    {
        Assert.True(RpcStatus.TryRead([], out int code, out string message, out TimeSpan? delay));
        Assert.Equal((0, "", null), (code, message, delay));
    }

    [Fact]
    public void TryRead_MutatedBytes_NeverThrows()
    {
        ArrayBufferWriter<byte> output = new();
        RpcStatus.Write(output, 14, "unavailable", TimeSpan.FromSeconds(1.5));
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] mutant = Mutation.Of(output.WrittenSpan.ToArray(), random);
            if (RpcStatus.TryRead(mutant, out _, out string message, out _))
            {
                Assert.NotNull(message);
            }
        }
    }

    [Theory]
    [InlineData("08")]
    [InlineData("1205")]
    [InlineData("1A0208FF")]
    [InlineData("0C")]
    public void TryRead_Malformed_IsFalse(string hex) => Assert.False(RpcStatus.TryRead(Convert.FromHexString(hex), out _, out _, out _));
}
