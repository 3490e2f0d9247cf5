using System.Net;
using System.Net.Sockets;
using System.Text;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Testing;

namespace Cluster.Gateway.Tests.Receivers;

/// <summary>HTTP/1.1 clients that no library would be: over a bare socket.</summary>
public sealed class HttpConnectionTests
{
    private const string Head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n";

    [Fact]
    public async Task Post_BodyInPieces_ArrivesWhole()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!);

        await client.SendAsync(Head + "Content-Length: 6\r\n\r\nab");
        await client.SendAsync("c");
        await client.SendAsync("def");

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await client.HeadAsync(), StringComparison.Ordinal);
        Assert.Equal("abcdef"u8.ToArray(), Assert.Single(host.Consumer.Requests));
    }

    [Fact]
    public async Task Post_SilentClient_Is408AndTheConnectionEnds()
    {
        ManualTimeProvider time = new();
        await using DoorHost host = await DoorHost.StartAsync(time: time);
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!);

        await client.SendAsync(Head + "Content-Length: 20000000\r\n\r\nab");
        await host.UntilAsync(it => it.Time!.ActiveTimers == 1 && it.InFlight.Held > 0);
        Assert.Equal(RequestBuffer.SmallCapacity, host.InFlight.Held);
        time.Advance(TimeSpan.FromSeconds(31));

        string answer = await client.RestAsync();
        Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("the body did not arrive in time (limits.body_timeout)", answer, StringComparison.Ordinal);
        Assert.Equal(1, host.Http.Requests[RequestOutcome.TimedOut]);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\nab")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nab")]
    public async Task Post_ClientLeavesInsideItsBody_IsCountedQuietly(string rest)
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using (RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!))
        {
            await client.SendAsync(Head + rest);
            await host.UntilAsync(it => it.InFlight.Held > 0);
        }

        await host.UntilAsync(it => it.Http.Requests[RequestOutcome.ClientGone] == 1);
        await host.UntilAsync(it => it.InFlight.Held == 0);
        Assert.Empty(host.Consumer.Requests);
    }

    [Fact]
    public async Task Post_ClientResets_IsCountedQuietly()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using (RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!))
        {
            await client.SendAsync(Head + "Content-Length: 10\r\n\r\nab");
            await host.UntilAsync(it => it.InFlight.Held > 0);
            client.ResetOnClose();
        }

        await host.UntilAsync(it => it.Http.Requests[RequestOutcome.ClientGone] == 1);
        await host.UntilAsync(it => it.InFlight.Held == 0);
    }

    [Fact]
    public async Task Post_ClientLeavesDuringDelivery_CancelsIt()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        TaskCompletionSource delivering = new(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Consumer.Answer = async (_, cancellation) =>
        {
            delivering.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            return default;
        };
        using (RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!))
        {
            await client.SendAsync(Head + "Content-Length: 2\r\n\r\nab");
            await delivering.Task.WaitAsync(DoorHost.Patience, TestContext.Current.CancellationToken);
        }

        await host.UntilAsync(it => it.Http.Requests[RequestOutcome.ClientGone] == 1);
    }

    [Fact]
    public async Task Post_BrokenChunks_Is400()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!);

        await client.SendAsync(Head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", await client.RestAsync(), StringComparison.Ordinal);
        Assert.Equal(1, host.Http.Requests[RequestOutcome.Malformed]);
        Assert.Empty(host.Consumer.Requests);
    }

    [Fact]
    public async Task Post_TooLarge_AnswersBeforeTheBodyIsSent()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!);

        await client.SendAsync(Head + "Content-Length: 20971521\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", await client.HeadAsync(), StringComparison.Ordinal);
        Assert.Equal(0, host.InFlight.Held);
    }

    [Fact]
    public async Task Post_ExpectsContinue_GetsItOnlyWhenTheBodyIsWanted()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!);

        await client.SendAsync(Head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 100 Continue\r\n", await client.HeadAsync(), StringComparison.Ordinal);
        await client.SendAsync("ab");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await client.HeadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Posts_OnOneConnection_AreAnsweredInTurn()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Http!);

        await client.SendAsync(Head + "Content-Length: 1\r\n\r\na" + Head + "Content-Length: 1\r\n\r\nb");

        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await client.HeadAsync(), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await client.HeadAsync(), StringComparison.Ordinal);
        Assert.Equal([[(byte)'a'], [(byte)'b']], host.Consumer.Requests);
    }

    [Fact]
    public async Task Connections_OneTooMany_IsClosed()
    {
        await using DoorHost host = await DoorHost.StartAsync(limits: new GatewayLimits { Connections = 1 });
        using RawClient first = await RawClient.ConnectAsync(host.Receiver.Http!);
        await first.SendAsync(Head + "Content-Length: 1\r\n\r\na");
        await first.HeadAsync();
        using RawClient second = await RawClient.ConnectAsync(host.Receiver.Http!);

        Assert.Equal("", await second.RestAsync());
        await host.UntilAsync(it => it.Totals is { Connections: 1, RefusedConnections: 1 });
        first.Dispose();
        await host.UntilAsync(it => it.Totals.Connections == 0);
        using RawClient third = await RawClient.ConnectAsync(host.Receiver.Http!);
        await third.SendAsync(Head + "Content-Length: 1\r\n\r\na");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await third.HeadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task GrpcDoor_HttpOneRequest_IsNotServed()
    {
        await using DoorHost host = await DoorHost.StartAsync();
        using RawClient client = await RawClient.ConnectAsync(host.Receiver.Grpc!);

        await client.SendAsync(Head + "Content-Length: 1\r\n\r\na");

        Assert.DoesNotContain("200", await client.RestAsync(), StringComparison.Ordinal);
        Assert.Empty(host.Consumer.Requests);
    }

    /// <summary>A socket that speaks text.</summary>
    private sealed class RawClient(Socket socket) : IDisposable
    {
        private readonly byte[] _one = new byte[1];

        public static async Task<RawClient> ConnectAsync(Gateway.Receivers.Hosting.Door door)
        {
            Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, door.Url.Port));
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionReset)
            {
                // Open, and closed by the server before this side saw it: reading ends at once.
            }

            return new RawClient(socket);
        }

        public async Task SendAsync(string text) => await socket.SendAsync(Encoding.ASCII.GetBytes(text));

        /// <summary>Reads to the end of the next head.</summary>
        public Task<string> HeadAsync() => ReadAsync(text => text.EndsWith("\r\n\r\n", StringComparison.Ordinal));

        /// <summary>Reads until the server closes.</summary>
        public Task<string> RestAsync() => ReadAsync(_ => false);

        public void ResetOnClose() => socket.LingerState = new LingerOption(true, 0);

        public void Dispose() => socket.Dispose();

        private async Task<string> ReadAsync(Func<string, bool> enough)
        {
            using CancellationTokenSource patience = new(DoorHost.Patience);
            StringBuilder text = new();
            while (!enough(text.ToString()))
            {
                int read;
                try
                {
                    read = await socket.ReceiveAsync(_one, patience.Token);
                }
                catch (SocketException)
                {
                    read = 0;
                }

                if (read == 0)
                {
                    break;
                }

                text.Append((char)_one[0]);
            }

            return text.ToString();
        }
    }
}
