using Cluster.Node.Configuration;

namespace Cluster.Node.Tests.Configuration;

public sealed class HostPortTests
{
    [Theory]
    [InlineData("localhost:4317", "localhost", 4317, "localhost:4317")]
    [InlineData("0.0.0.0:4317", "0.0.0.0", 4317, "0.0.0.0:4317")]
    [InlineData(":4317", "", 4317, "0.0.0.0:4317")]
    [InlineData("[::]:4317", "::", 4317, "[::]:4317")]
    [InlineData("[::1]:0", "::1", 0, "[::1]:0")]
    [InlineData("my-host.example.com:65535", "my-host.example.com", 65535, "my-host.example.com:65535")]
    public void TryParse_Address_GivesHostAndPort(string text, string host, int port, string written)
    {
        Assert.True(HostPort.TryParse(text, out HostPort address, out _));
        Assert.Equal(new HostPort(host, port), address);
        Assert.Equal(written, address.ToString());
    }

    [Theory]
    [InlineData("", "'' has no port")]
    [InlineData("localhost", "'localhost' has no port")]
    [InlineData("localhost:", "'' is not a port")]
    [InlineData("localhost:-1", "'-1' is not a port")]
    [InlineData("localhost:65536", "'65536' is not a port")]
    [InlineData("[::1]", "'[::1]' has no port")]
    [InlineData("[::1", "'[::1' has no port")]
    [InlineData("[1.2.3.4]:1", "'1.2.3.4' is not an IPv6 address")]
    [InlineData("::1:4317", "'::1:4317' is an IPv6 address without brackets")]
    [InlineData("a b:1", "'a b:1' has a blank in it")]
    [InlineData("a/b:1", "'a/b' is neither a host name nor an IP address")]
    [InlineData("unix:/run/x", "'unix:/run/x' is a Unix socket, which is not supported")]
    [InlineData("tcp://h:1", "'tcp://h:1' has a scheme")]
    public void TryParse_NoAddress_SaysWhy(string text, string problem)
    {
        Assert.False(HostPort.TryParse(text, out _, out string found));
        Assert.Equal(problem, found);
    }

    [Theory]
    [InlineData("0.0.0.0:1", "10.0.0.1:1", true)]
    [InlineData("[::]:1", "localhost:1", true)]
    [InlineData("localhost:1", "127.0.0.1:1", true)]
    [InlineData("localhost:1", "[::1]:1", true)]
    [InlineData("127.0.0.1:1", "[::1]:1", false)]
    [InlineData("10.0.0.1:1", "10.0.0.2:1", false)]
    [InlineData("127.0.0.1:1", "127.0.0.1:2", false)]
    [InlineData("127.0.0.1:0", "127.0.0.1:0", false)]
    public void Overlaps_TwoListeners_TellsWhetherTheyCollide(string first, string second, bool collide)
    {
        Assert.True(HostPort.TryParse(first, out HostPort a, out _));
        Assert.True(HostPort.TryParse(second, out HostPort b, out _));
        Assert.Equal(collide, a.Overlaps(b));
        Assert.Equal(collide, b.Overlaps(a));
    }
}
