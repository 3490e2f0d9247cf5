using System.Text;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Admin;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Region;
using Cluster.Testing;
using Microsoft.AspNetCore.Http;

namespace Cluster.Node.Tests.Admin;

/// <summary>An admin endpoint over a small, fixed world: two shards, three pending traces, two decided ones, two policies, two exporters.</summary>
internal sealed class AdminFixture : IDisposable
{
    public static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public AdminFixture(bool cluster = false)
        : this(cluster ? new FakeCluster() : null)
    {
    }

    public AdminFixture(FakeCluster? cluster)
    {
        Cluster = cluster ?? new FakeCluster();
        Sources = new AdminSources
        {
            Node = Node,
            Shards = Shards,
            Cluster = cluster?.Sources,
            Gateway = FakeCounters.Gateway,
            Exporters = FakeCounters.Exporters,
            Process = FakeCounters.Process,
        };
        Endpoint = new AdminEndpoint(new AdminOptions(), Sources, Time, Logger);
        Node.ListenOn([new("OTLP/gRPC", "http://0.0.0.0:4317", "http://127.0.0.1:4317"), new("admin", "http://127.0.0.1:8080", "http://127.0.0.1:8080")]);
        Node.Ready();
        Time.Advance(TimeSpan.FromSeconds(90.5));
    }

    public ManualTimeProvider Time { get; } = new(Start);

    public RecordingLogger<AdminEndpoint> Logger { get; } = new();

    public FakeShards Shards { get; } = new();

    public FakeCluster Cluster { get; }

    public AdminSources Sources { get; }

    public AdminEndpoint Endpoint { get; }

    public NodeState Node { get; } = new()
    {
        Id = "node-1",
        Version = "0.1.0",
        StartedAt = Start,
        Limits = new GatewayLimits(),
        Sharding = new ShardRegionOptions { ShardCount = 2, Workers = 1, DecisionWait = TimeSpan.FromMilliseconds(2500) },
    };

    public async Task<Answer> SendAsync(
        string target, string method = "GET", string host = "127.0.0.1:8080", CancellationTokenSource? client = null, string? origin = null)
    {
        DefaultHttpContext context = new();
        int query = target.IndexOf('?', StringComparison.Ordinal);
        context.Request.Method = method;
        context.Request.Scheme = "http";
        context.Request.Headers.Origin = origin;
        context.Request.Host = new HostString(host);
        context.Request.Path = query < 0 ? target : target[..query];
        context.Request.QueryString = query < 0 ? default : new QueryString(target[query..]);
        context.RequestAborted = client?.Token ?? CancellationToken.None;
        using MemoryStream body = new();
        context.Response.Body = body;
        await Endpoint.HandleAsync(context);
        return new Answer(context.Response.StatusCode, context.Response.ContentType, context.Response.Headers, Encoding.UTF8.GetString(body.ToArray()));
    }

    public void Dispose() => Endpoint.Dispose();
}

internal sealed record Answer(int Status, string? ContentType, IHeaderDictionary Headers, string Body);
