using System.Net.Http.Headers;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Demo;

/// <summary>
/// A small, realistic microservice workload for a node to sample: a few requests a second through the nine services of a web shop, each of
/// which exports its own spans over OTLP/HTTP, as separate processes would.
/// </summary>
public sealed partial class DemoWorkload
{
    private static readonly TimeSpan MeanPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(10);

    private readonly Uri _tracesUrl;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger<DemoWorkload> _logger;
    private readonly HttpMessageHandler? _handler;

    /// <summary>A workload that has not begun.</summary>
    /// <param name="endpoint">The OTLP/HTTP door, without a path: <c>http://127.0.0.1:4318</c>.</param>
    /// <param name="time">Paces requests and dates spans.</param>
    /// <param name="random">Chooses requests, durations, errors and IDs; nobody else may use it meanwhile.</param>
    /// <param name="logger">Is told of requests that the node did not take.</param>
    public DemoWorkload(Uri endpoint, TimeProvider time, Random random, ILogger<DemoWorkload> logger)
        : this(endpoint, time, random, logger, null)
    {
    }

    /// <inheritdoc cref="DemoWorkload(Uri, TimeProvider, Random, ILogger{DemoWorkload})"/>
    internal DemoWorkload(Uri endpoint, TimeProvider time, Random random, ILogger<DemoWorkload> logger, HttpMessageHandler? handler)
    {
        _tracesUrl = new Uri(endpoint, "/v1/traces");
        _time = time;
        _random = random;
        _logger = logger;
        _handler = handler;
    }

    /// <summary>
    /// Sends traces until <paramref name="cancellationToken"/> says stop, then completes normally. What the node does not take is logged
    /// and left at that. Call it once.
    /// </summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // Not through a proxy that the environment names: the node is on this machine.
        using HttpClient client = new(_handler ?? new SocketsHttpHandler { UseProxy = false }) { Timeout = AttemptTimeout };
        DemoTraces traces = new(_random);
        try
        {
            while (true)
            {
                await SendAsync(client, traces.Next(), cancellationToken);
                // Arrivals like those of independent users: exponential pauses, none longer than a few means.
                double pause = Math.Min(4, -Math.Log(1 - _random.NextDouble()));
                await Task.Delay(MeanPause * pause, _time, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // That is how it ends.
        }
    }

    /// <summary>Sends a trace that ends now, one request a service, the callee's before the caller's as each ends first.</summary>
    private async Task SendAsync(HttpClient client, List<DemoSpan> trace, CancellationToken cancellationToken)
    {
        DateTimeOffset start = _time.GetUtcNow() - TimeSpan.FromMilliseconds(trace[0].End);
        ulong startNano = (ulong)(start - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
        foreach (IGrouping<string, DemoSpan> service in trace.GroupBy(span => span.Service).Reverse())
        {
            try
            {
                using ByteArrayContent content = new(DemoRequest.Encode(service.Key, service, startNano));
                content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
                using HttpResponseMessage response = await client.PostAsync(_tracesUrl, content, cancellationToken);
                if (!response.IsSuccessStatusCode)
                {
                    LogNotTaken(_logger, service.Key, $"{(int)response.StatusCode} {response.ReasonPhrase}");
                }
            }
            catch (HttpRequestException exception)
            {
                LogNotTaken(_logger, service.Key, exception.Message);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                LogNotTaken(_logger, service.Key, $"no answer within {AttemptTimeout.TotalSeconds:0} s");
            }
        }
    }

    [LoggerMessage(EventIds.DemoRequestNotTaken, LogLevel.Warning, "The demo's {Service} could not send its spans: {Problem}")]
    private static partial void LogNotTaken(ILogger logger, string service, string problem);
}
