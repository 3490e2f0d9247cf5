using System.Net;
using Cluster.Node.Admin;

namespace Cluster.Node.Tests.Admin;

public sealed class ListenAddressTests
{
    [Theory]
    [InlineData("127.0.0.1:8080", "127.0.0.1", 8080, true, false)]
    [InlineData("127.0.0.1:0", "127.0.0.1", 0, true, false)]
    [InlineData("0.0.0.0:8080", "0.0.0.0", 8080, false, false)]
    [InlineData("[::1]:8080", "::1", 8080, true, false)]
    [InlineData("[::]:8080", "::", 8080, false, false)]
    [InlineData(":8080", "::", 8080, false, false)]
    [InlineData("localhost:8080", "127.0.0.1", 8080, true, true)]
    [InlineData("localhost:0", "127.0.0.1", 0, true, false)]
    public void Parse_Address_IsUnderstood(string endpoint, string address, int port, bool loopback, bool both)
    {
        ListenAddress listen = ListenAddress.Parse(endpoint);

        Assert.Equal(new ListenAddress(IPAddress.Parse(address), port, both), listen);
        Assert.Equal(loopback, listen.IsLoopback);
    }

    [Theory]
    [InlineData("")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("127.0.0.1:-1")]
    [InlineData("127.0.0.1:+1")]
    [InlineData("::1:8080")]
    [InlineData("[127.0.0.1]:8080")]
    [InlineData("[]:8080")]
    [InlineData("[:8080")]
    [InlineData("admin.example:8080")]
    [InlineData("http://127.0.0.1:8080")]
    public void Parse_NoAddress_SaysWhatToWrite(string endpoint)
    {
        FormatException wrong = Assert.Throws<FormatException>(() => ListenAddress.Parse(endpoint));

        Assert.Equal(
            $"admin.endpoint '{endpoint}' is no address to listen on; write 127.0.0.1:8080, [::1]:8080, localhost:8080 or, for every interface, 0.0.0.0:8080",
            wrong.Message);
    }
}
