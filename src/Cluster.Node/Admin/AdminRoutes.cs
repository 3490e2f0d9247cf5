namespace Cluster.Node.Admin;

/// <summary>One path of the admin endpoint.</summary>
/// <param name="Template">Its path; a last segment in braces stands for any one segment.</param>
/// <param name="Summary">One line for the index.</param>
/// <param name="Query">Query parameters it takes; null when any are ignored.</param>
/// <param name="Answer">Query and path parameter to answer.</param>
internal sealed record AdminRoute(
    string Template, string Summary, IReadOnlyList<string>? Query, Func<IQueryCollection, string, CancellationToken, Task<AdminReply>> Answer)
{
    /// <summary>Whether the answer waits for shards, and so for a turn; the others must answer even when shards do not.</summary>
    public bool AsksShards { get; init; }

    /// <summary>Whether it changes something, and so takes POST instead of GET.</summary>
    public bool IsPost { get; init; }

    /// <summary>Longest time for one answer, waiting for a turn included.</summary>
    public TimeSpan Timeout { get; init; } = AdminEndpoint.Timeout;

    /// <summary>Whether nodes ask each other for it, with <c>local=true</c>.</summary>
    public bool IsForPeers => Query?.Contains("local") ?? false;

    private readonly int _parameter = Template.IndexOf('{', StringComparison.Ordinal);

    /// <summary>Whether it answers to an HTTP method.</summary>
    public bool Takes(string method) => IsPost ? HttpMethods.IsPost(method) : HttpMethods.IsGet(method) || HttpMethods.IsHead(method);

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
        PeerQuestions? peers = sources.Cluster is { } cluster ? new PeerQuestions(cluster.View, time) : null;
        ClusterPages clusterPages = new(sources);
        DrainPage drain = new(sources, peers, time);
        ShardPages shards = new(sources, peers, time);
        TracePages traces = new(sources, peers);
        PipelinePages pipeline = new(sources);
        All =
        [
            new("/", "this list", null, (_, _, _) => Now(Index())),
            new("/healthz", "200 while the process lives", null, (_, _, _) => Now(NodePages.Health())),
            new("/readyz", "200 while the node takes spans, else 503 with the reason", null, (_, _, _) => Now(node.Ready())),
            new("/metrics", "metrics for Prometheus; ?suffixes=true for the Collector's names with suffixes", ["suffixes"],
                (query, _, _) => Now(node.Metrics(query))),
            new("/api/node", "this node: version, addresses, limits, memory, configuration", [], (_, _, _) => Now(node.Node())),
            new("/api/cluster", "the cluster: members, coordinator, who holds how much, what is missing", [],
                (_, _, _) => Now(clusterPages.Cluster())),
            new("/api/drain", "POST: move the shards of this node, or ?node=, to others; ?wait= seconds", DrainPage.Parameters,
                (query, _, cancel) => drain.DrainAsync(query, cancel)) { IsPost = true, Timeout = System.Threading.Timeout.InfiniteTimeSpan },
            new("/api/shards", "all shards: who holds them, what is in them; ?local=true for those here", ["local"],
                (query, _, cancel) => shards.ListAsync(query, cancel)) { AsksShards = true },
            new("/api/shards/{id}", "one shard", ["local"], (query, id, cancel) => shards.GetAsync(id, query, cancel)) { AsksShards = true },
            new("/api/traces", "pending traces or the latest decisions of this node; ?state=&sort=&limit=", TracePages.Parameters,
                (query, _, cancel) => traces.ListAsync(query, cancel)) { AsksShards = true },
            new("/api/traces/{traceId}", "one trace, wherever it is: its spans, its state and every policy's vote", ["local"],
                (query, traceId, cancel) => traces.GetAsync(traceId, query, cancel)) { AsksShards = true },
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
