using System.Net;
using Cluster.LoadGenerator.Measuring;
using Cluster.LoadGenerator.Sending;
using Cluster.LoadGenerator.Sink;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.LoadGenerator.Tests;

/// <summary>Generator and sink against each other over sockets: what is sent arrives, whole and once.</summary>
public sealed class LoopbackTests
{
    [Theory]
    [InlineData("grpc", false)]
    [InlineData("grpc", true)]
    [InlineData("http", false)]
    [InlineData("http", true)]
    public async Task Send_ToSink_EverythingArrivesOnce(string scheme, bool gzip)
    {
        await using SinkServer sink = await SinkServer.StartAsync(0, 0, 0);
        using var observer = new Observer([Environment.ProcessId], [], new Uri($"http://127.0.0.1:{sink.Ports[2]}"));
        var options = new LoadOptions
        {
            Targets = [new Uri($"{scheme}://127.0.0.1:{sink.Ports[scheme == "grpc" ? 0 : 1]}")],
            Gzip = gzip,
            MaxSpans = 20_000,
            Seconds = 60,
        };

        RunReport report = await new MeasuredRun(options, observer, "test", TimeSpan.Zero).RunAsync();

        LedgerTotals arrived = report.Arrived!;
        Assert.Equal((0, 0, 0), (report.Failed, report.Refused, report.LostConnections));
        Assert.Equal(report.Sent.Spans, report.AcceptedSpans);
        Assert.Equal((report.Sent.Spans, report.Sent.Traces), (arrived.Spans, arrived.CompleteTraces));
        Assert.Equal((0, 0, 0), (arrived.IncompleteTraces, arrived.DuplicateSpans, arrived.ForeignSpans));
        Assert.Equal(0, report.MustKeepMissing);
        Assert.Equal(1, report.OthersKept);
        Assert.NotEmpty(report.MarkdownRow());
    }

    [Theory]
    [InlineData("grpc")]
    [InlineData("http")]
    public async Task Send_RefusedAtFirst_IsSentAgainAndCounted(string scheme)
    {
        int refusals = 0;
        int accepted = 0;
        await using WebApplication server = await StartServerAsync(scheme, async context =>
        {
            bool refuse = Interlocked.Increment(ref refusals) <= 10;
            if (!refuse)
            {
                await context.Request.Body.CopyToAsync(Stream.Null);
                Interlocked.Increment(ref accepted);
            }

            await AnswerAsync(context, refuse);
        });
        var run = new LoadRun(new LoadOptions
        {
            Targets = [new Uri($"{scheme}://127.0.0.1:{new Uri(server.Urls.First()).Port}")],
            MaxSpans = 1,
            Seconds = 60,
        });

        run.Run(_ => { });

        SenderCounters[] counters = [.. run.Counters];
        Assert.Equal(48, accepted);
        Assert.Equal(48, counters.Sum(counter => counter.AcceptedRequests));
        Assert.Equal(run.Truth.Spans, counters.Sum(counter => counter.AcceptedSpans));
        Assert.Equal(0, counters.Sum(counter => counter.Failed));

        // Over HTTP/1.1 Kestrel may close a connection whose request it did not read: then the client sees a lost connection instead.
        long retried = counters.Sum(counter => counter.Refused + counter.LostConnections);
        Assert.Equal(10, retried);
    }

    [Theory]
    [InlineData("grpc")]
    [InlineData("http")]
    public async Task Send_ToTwoTargets_EachGetsItsShareAndAllArrivesOnce(string scheme)
    {
        int[] accepted = new int[2];
        await using WebApplication first = await StartServerAsync(scheme, context => CountAsync(context, 0));
        await using WebApplication second = await StartServerAsync(scheme, context => CountAsync(context, 1));
        var run = new LoadRun(new LoadOptions
        {
            Targets = [.. new[] { first, second }.Select(server => new Uri($"{scheme}://127.0.0.1:{new Uri(server.Urls.First()).Port}"))],
            Connections = 1,
            MaxSpans = 50_000,
            Seconds = 60,
        });

        run.Run(_ => { });

        Assert.All(accepted, count => Assert.NotEqual(0, count));
        Assert.Equal(accepted.Sum(), run.Counters.Sum(counter => counter.AcceptedRequests));
        Assert.Equal(run.Truth.Spans, run.Counters.Sum(counter => counter.AcceptedSpans));

        async Task CountAsync(HttpContext context, int server)
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            Interlocked.Increment(ref accepted[server]);
            await AnswerAsync(context, refuse: false);
        }
    }

    [Fact]
    public async Task Send_StatusThatMayNotBeRetried_CountsAsFailed()
    {
        await using WebApplication server = await StartServerAsync("grpc", async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Response.ContentType = "application/grpc";
            context.Response.Headers["grpc-status"] = "3";
            context.Response.Headers["grpc-message"] = "bad%20field";
        });
        var run = new LoadRun(new LoadOptions
        {
            Targets = [new Uri($"grpc://127.0.0.1:{new Uri(server.Urls.First()).Port}")],
            MaxSpans = 1,
            Seconds = 60,
        });

        run.Run(_ => { });

        Assert.Equal(48, run.Counters.Sum(counter => counter.Failed));
        Assert.Contains(run.Counters, counter => counter.LastReason == "grpc-status 3 bad field");
    }

    private static async Task<WebApplication> StartServerAsync(string scheme, RequestDelegate handler)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(
            IPAddress.Loopback, 0, listen => listen.Protocols = scheme == "grpc" ? HttpProtocols.Http2 : HttpProtocols.Http1));
        WebApplication server = builder.Build();
        server.Run(handler);
        await server.StartAsync();
        return server;
    }

    private static async Task AnswerAsync(HttpContext context, bool refuse)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            context.Response.StatusCode = refuse ? 503 : 200;
            context.Response.Headers.RetryAfter = "0";
            return;
        }

        // Trailers only when refused: that is how a door answers before it has read the body.
        context.Response.ContentType = "application/grpc";
        if (refuse)
        {
            context.Response.Headers["grpc-status"] = "8";
            context.Response.Headers["grpc-status-details-bin"] = Sending.ResponseMessagesTests.RetryIn1250Milliseconds;
            return;
        }

        await context.Response.Body.WriteAsync(new byte[5]);
        context.Response.AppendTrailer("grpc-status", "0");
    }
}
