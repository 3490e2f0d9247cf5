using System.Collections.Concurrent;
using System.Net;
using Cluster.Node.Demo;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Node.Tests.Demo;

public sealed class DemoWorkloadTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly Door _door = new();

    public void Dispose() => _door.Dispose();

    [Fact]
    public async Task RunAsync_OverAMinute_SendsAFewTracesASecondToTheDoor()
    {
        await RunAsync(TimeSpan.FromMinutes(1));
        Assert.All(_door.Urls, url => Assert.Equal("http://127.0.0.1:4318/v1/traces", url));
        Span[] spans = [.. _door.Requests
            .SelectMany(request => request.ResourceSpans)
            .SelectMany(resource => resource.ScopeSpans)
            .SelectMany(scope => scope.Spans)];
        Assert.InRange(spans.Select(span => span.TraceId).Distinct().Count(), 60, 600);
        Assert.All(_door.Requests, request => Assert.Single(request.ResourceSpans));
    }

    [Theory]
    [InlineData(HttpStatusCode.TooManyRequests)]
    [InlineData(null)]
    public async Task RunAsync_NodeDoesNotTakeIt_GoesOn(HttpStatusCode? answer)
    {
        _door.Answer = answer;
        await RunAsync(TimeSpan.FromSeconds(10));
        Assert.InRange(_door.Urls.Count, 10, 1000);
    }

    private async Task RunAsync(TimeSpan duration)
    {
        using CancellationTokenSource stop = new();
        DemoWorkload workload = new(new Uri("http://127.0.0.1:4318"), _time, new Random(7), NullLogger<DemoWorkload>.Instance, _door);
        // The door answers at once, so that everything but the pauses runs on the thread that moves the clock.
        Task run = workload.RunAsync(stop.Token);
        DateTimeOffset end = _time.GetUtcNow() + duration;
        while (_time.GetUtcNow() < end && _time.UntilNextTimer is { } pause)
        {
            _time.Advance(pause);
        }

        await stop.CancelAsync();
        await run;
    }

    private sealed class Door : HttpMessageHandler
    {
        public ConcurrentQueue<string> Urls { get; } = new();

        public ConcurrentQueue<ExportTraceServiceRequest> Requests { get; } = new();

        public HttpStatusCode? Answer { get; set; } = HttpStatusCode.OK;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Urls.Enqueue(request.RequestUri!.ToString());
            Requests.Enqueue(ExportTraceServiceRequest.Parser.ParseFrom(await request.Content!.ReadAsByteArrayAsync(cancellationToken)));
            return Answer is { } status ? new HttpResponseMessage(status) : throw new HttpRequestException("refused");
        }
    }
}
