using System.Diagnostics;
using Cluster.EndToEnd.Tests.Harness;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Cluster.EndToEnd.Tests.Clients;

/// <summary>
/// The OpenTelemetry .NET SDK in this process: three services, each with its own resource and exporter. Every span is also exported to a
/// back end of the client's own, which is how a test knows what the SDK made of it.
/// </summary>
internal sealed class DotNetClient : IDisposable
{
    private static readonly DateTime Start = DateTime.UtcNow.AddMinutes(-1);

    private readonly Dictionary<string, ActivitySource> _sources = [];
    private readonly List<TracerProvider> _providers = [];
    private readonly RecordingBackend _reference;

    private DotNetClient(Uri endpoint, OtlpExportProtocol protocol, RecordingBackend reference)
    {
        _reference = reference;
        foreach (string service in new[] { "frontend", "checkout", "支払い" })
        {
            // Activity sources are known to the whole process: only this client listens to its own.
            ActivitySource source = new($"{service}-{Guid.NewGuid():N}", "1.0");
            _sources[service] = source;
            _providers.Add(Sdk.CreateTracerProviderBuilder()
                .SetSampler(new AlwaysOnSampler())
                .SetResourceBuilder(ResourceBuilder.CreateEmpty()
                    .AddService(service, serviceVersion: "2.0", autoGenerateServiceInstanceId: false)
                    .AddAttributes([new("host.cpus", 8L), new("deployment.tags", new[] { "blue", "grün" })]))
                .AddSource(source.Name)
                .AddOtlpExporter("node", options => Configure(options, endpoint, protocol))
                .AddOtlpExporter("reference", options => Configure(options, reference.GrpcEndpoint, OtlpExportProtocol.Grpc))
                .Build());
        }
    }

    /// <summary>Sends traces of every fate and waits until they are acknowledged.</summary>
    public static async Task<ClientReport> RunAsync(Uri endpoint, OtlpExportProtocol protocol, int traces = 4)
    {
        await using RecordingBackend reference = await RecordingBackend.StartAsync();
        Dictionary<string, string[]> fates = [];
        using (DotNetClient client = new(endpoint, protocol, reference))
        {
            fates["error"] = [.. Enumerable.Range(0, traces).Select(_ => client.SendTrace(error: true))];
            fates["slow"] = [.. Enumerable.Range(0, traces).Select(_ => client.SendTrace(milliseconds: 2500))];
            fates["attribute"] = [.. Enumerable.Range(0, traces)
                .Select(_ => client.SendTrace(tier: "gold", traceState: "vendor=blue,rojo=00f067aa0ba902b7"))];
            fates["none"] = [.. Enumerable.Range(0, traces).Select(_ => client.SendTrace(tier: "tin"))];
            foreach (TracerProvider provider in client._providers)
            {
                Assert.True(provider.ForceFlush((int)Eventually.Deadline.TotalMilliseconds), "the SDK flushed");
            }
        }

        ClientReport report = new(new(), fates);
        foreach (var request in reference.Received)
        {
            report.Sent.ResourceSpans.Add(request.ResourceSpans);
        }

        Assert.Equal(report.All.Order(), Delivery.Of(report.Sent).Select(delivery => delivery.TraceId).Distinct().Order());
        return report;
    }

    public void Dispose()
    {
        foreach (TracerProvider provider in _providers)
        {
            provider.Dispose();
        }

        foreach (ActivitySource source in _sources.Values)
        {
            source.Dispose();
        }
    }

    private static void Configure(OtlpExporterOptions options, Uri endpoint, OtlpExportProtocol protocol)
    {
        options.Protocol = protocol;
        options.Endpoint = protocol == OtlpExportProtocol.Grpc ? endpoint : new Uri(endpoint, "/v1/traces");
        options.TimeoutMilliseconds = (int)Eventually.Deadline.TotalMilliseconds;
        options.BatchExportProcessorOptions.MaxExportBatchSize = 7;
        options.BatchExportProcessorOptions.ScheduledDelayMilliseconds = 50;
    }

    private string SendTrace(bool error = false, int milliseconds = 14, string tier = "none", string? traceState = null)
    {
        ActivityContext remote = new(
            ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded, traceState, isRemote: true);
        Activity root = Begin("frontend", "GET /checkout/{id}", ActivityKind.Server, traceState is null ? default : remote, 0);
        Activity call = Begin("frontend", "POST checkout", ActivityKind.Client, root.Context, 1);
        Activity order = Begin("checkout", "PlaceOrder", ActivityKind.Server, call.Context, 2);
        Activity query = Begin("checkout", "SELECT orders", ActivityKind.Internal, order.Context, 3, new ActivityLink(
            root.Context, new ActivityTagsCollection { ["link.reason"] = "cause", ["link.weight"] = 3 }), new ActivityLink(call.Context));
        Activity charge = Begin("支払い", "Charge 💶", ActivityKind.Producer, order.Context, 4);

        root.SetTag("http.request.method", "GET");
        charge.SetTag("customer.tier", tier);
        SetEveryKind(order);
        order.AddEvent(new ActivityEvent(
            "cart.read", Start.AddMilliseconds(5), new ActivityTagsCollection { ["items"] = 3, ["codes"] = new[] { "x", "y" } }));
        order.AddEvent(new ActivityEvent("stock.checked", Start.AddMilliseconds(6)));
        if (error)
        {
            charge.AddException(new InvalidOperationException("card declined: größe"));
            charge.SetStatus(ActivityStatusCode.Error, "card declined");
            query.SetStatus(ActivityStatusCode.Ok);
        }

        End(charge, 10);
        End(query, 11);
        End(order, 12);
        End(call, 13);
        End(root, milliseconds);
        return root.TraceId.ToHexString();
    }

    private static void SetEveryKind(Activity activity)
    {
        activity.SetTag("text", "naïve 漢字 🚀 \"quoted\" \\ \u0001");
        activity.SetTag("empty", "");
        activity.SetTag("int", 42);
        activity.SetTag("largest", long.MaxValue);
        activity.SetTag("least", long.MinValue);
        activity.SetTag("double", Math.PI);
        activity.SetTag("yes", true);
        activity.SetTag("no", false);
        activity.SetTag("texts", new[] { "a", "", "ß" });
        activity.SetTag("ints", new[] { 1, -2, 3 });
        activity.SetTag("doubles", new[] { 0.5, 1.25 });
        activity.SetTag("flags", new[] { true, false });
        activity.SetTag("ключ", "значение");
    }

    private Activity Begin(string service, string name, ActivityKind kind, ActivityContext parent, int at, params ActivityLink[] links)
    {
        // Without this, an activity without parent becomes the child of the one begun last.
        Activity.Current = null;
        return _sources[service].StartActivity(name, kind, parent, links: links, startTime: Start.AddMilliseconds(at))
            ?? throw new InvalidOperationException("nobody listens");
    }

    private static void End(Activity activity, int at)
    {
        activity.SetEndTime(Start.AddMilliseconds(at));
        activity.Stop();
        activity.Dispose();
    }
}
