namespace Cluster.Node.Admin;

/// <summary>One path of the admin endpoint.</summary>
/// <param name="Template">Its path; a last segment in braces stands for any one segment.</param>
/// <param name="Summary">One line for the index.</param>
/// <param name="Query">Query parameters it takes; null when any are ignored.</param>
/// <param name="Answer">Request and path parameter to answer.</param>
internal sealed record AdminRoute(
    string Template, string Summary, IReadOnlyList<string>? Query, Func<HttpRequest, string, CancellationToken, Task<AdminReply>> Answer)
{
    /// <summary>Whether the answer waits for shards, and so for a turn; the others must answer even when shards do not.</summary>
    public bool AsksShards { get; init; }

    private readonly int _parameter = Template.IndexOf('{', StringComparison.Ordinal);

    /// <summary>Whether <paramref name="path"/> is of this route.</summary>
    /// <param name="path">Without a trailing slash.</param>
    /// <param name="parameter">The last segment, where the template has braces.</param>
    public bool Matches(string path, out string parameter)
    {
        parameter = "";
        if (_parameter < 0)
        {
            return path == Template;
        }

        if (path.Length <= _parameter || !path.AsSpan().StartsWith(Template.AsSpan(0, _parameter)) || path.IndexOf('/', _parameter) >= 0)
        {
            return false;
        }

        parameter = path[_parameter..];
        return true;
    }
}

/// <summary>Every path of the admin endpoint, in the order the index shows them.</summary>
internal sealed class AdminRoutes
{
    /// <summary>Builds the table.</summary>
    public AdminRoutes(AdminSources sources, TimeProvider time)
    {
        NodePages node = new(sources, time);
        ShardPages shards = new(sources);
        TracePages traces = new(sources);
        PipelinePages pipeline = new(sources);
        All =
        [
            new("/", "this list", null, (_, _, _) => Now(Index())),
            new("/healthz", "200 while the process lives", null, (_, _, _) => Now(NodePages.Health())),
            new("/readyz", "200 while the node takes spans, else 503 with the reason", null, (_, _, _) => Now(node.Ready())),
            new("/metrics", "metrics for Prometheus; ?suffixes=true for the Collector's names with suffixes", ["suffixes"],
                (request, _, _) => Now(node.Metrics(request.Query))),
            new("/api/node", "this node: version, addresses, limits, memory, configuration", [], (_, _, _) => Now(node.Node())),
            new("/api/shards", "all shards of this node", [], (_, _, cancel) => shards.ListAsync(cancel)) { AsksShards = true },
            new("/api/shards/{id}", "one shard", [], (_, id, cancel) => shards.GetAsync(id, cancel)) { AsksShards = true },
            new("/api/traces", "pending traces or the latest decisions; ?state=&sort=&limit=", TracePages.Parameters,
                (request, _, cancel) => traces.ListAsync(request.Query, cancel)) { AsksShards = true },
            new("/api/traces/{traceId}", "one trace: its spans, its state and every policy's vote", [],
                (_, traceId, cancel) => traces.GetAsync(traceId, cancel)) { AsksShards = true },
            new("/api/doors", "spans, bytes and requests of every door, refusals by reason", [], (_, _, _) => Now(pipeline.Doors())),
            new("/api/policies", "votes and decisions of every policy", [], (_, _, _) => Now(pipeline.Policies())),
            new("/api/exporters", "queue, sent and lost spans, failures of every exporter", [], (_, _, _) => Now(pipeline.Exporters())),
            new("/api/openapi.json", "this interface as an OpenAPI 3.1 document", [], (_, _, _) => Now(NodePages.OpenApi())),
        ];
    }

    /// <summary>The table.</summary>
    public IReadOnlyList<AdminRoute> All { get; }

    /// <summary>The route of <paramref name="path"/>; null when there is none.</summary>
    public AdminRoute? Find(string path, out string parameter)
    {
        string trimmed = path.Length > 2 && path[^1] == '/' ? path[..^1] : path;
        foreach (AdminRoute route in All)
        {
            if (route.Matches(trimmed, out parameter))
            {
                return route;
            }
        }

        parameter = "";
        return null;
    }

    private static Task<AdminReply> Now(AdminReply reply) => Task.FromResult(reply);

    private AdminReply Index()
    {
        int width = All.Max(route => route.Template.Length);
        string lines = string.Concat(All.Select(route => $"{route.Template.PadRight(width)}  {route.Summary}\n"));
        return AdminReply.Text("ActorSampling admin endpoint\n\n" + lines, "text/plain; charset=utf-8");
    }
}
