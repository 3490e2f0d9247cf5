using Cluster.Node.Telemetry;
using Cluster.Sharding.Membership;

namespace Cluster.Node.Admin;

/// <summary>Moves the shards of a node to others. Asked again, it goes on waiting for the same.</summary>
internal sealed class DrainPage(AdminSources sources, PeerQuestions? peers, TimeProvider time)
{
    /// <summary>Query parameters.</summary>
    public static readonly IReadOnlyList<string> Parameters = ["node", "wait", "local"];

    private const int DefaultWaitSeconds = 60;
    private const int LongestWaitSeconds = 3600;

    /// <summary>How often another node is asked how far it is.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private Task? _drain;

    /// <summary>Begins, and waits for the end or as long as it is told.</summary>
    public async Task<AdminReply> DrainAsync(IQueryCollection query, CancellationToken cancellationToken)
    {
        AdminReply? badWait = AdminQuery.Number(query, "wait", DefaultWaitSeconds, 0, LongestWaitSeconds, out int seconds);
        AdminReply? badLocal = AdminQuery.Flag(query, "local", out bool local);
        if ((badWait ?? badLocal) is { } problem)
        {
            return problem;
        }

        if (sources.Cluster is not { View.Snapshot: var snapshot } cluster)
        {
            return AdminReply.Problem(
                StatusCodes.Status409Conflict, "Not in a cluster", $"{sources.Node.Id} is alone: there is no node to take its shards.");
        }

        string name = (string?)query["node"] ?? snapshot.Self.Node;
        TimeSpan wait = TimeSpan.FromSeconds(seconds);
        if (name == snapshot.Self.Node)
        {
            return await HereAsync(cluster, wait, cancellationToken);
        }

        if (local)
        {
            return AdminReply.BadParameter("local=true is about this node; leave out node.");
        }

        Member? member = snapshot.Members.FirstOrDefault(member => member.Id.Node == name);
        return member is null
            ? AdminReply.Problem(
                StatusCodes.Status404NotFound,
                "No such node",
                $"There is no node {Text.Shorten(name, 200)}; there are {string.Join(", ", snapshot.Members.Select(one => one.Id.Node))}.")
            : await ThereAsync(cluster, member, wait, cancellationToken);
    }

    private static AdminReply Progress(DrainJson drain) => AdminReply.Json(
        drain, AdminJson.Default.DrainJson, drain.State == "draining" ? StatusCodes.Status202Accepted : StatusCodes.Status200OK);

    private async Task<AdminReply> HereAsync(ClusterSources cluster, TimeSpan wait, CancellationToken cancellationToken)
    {
        Task drain;
        lock (_lock)
        {
            // Whoever waits may go; the drain goes on. One that failed is begun again.
            if (_drain is null or { IsFaulted: true })
            {
                _drain = cluster.View.DrainAsync(CancellationToken.None);
            }

            drain = _drain;
        }

        try
        {
            await drain.WaitAsync(wait, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // The answer says how far it is.
        }

        ClusterSnapshot snapshot = cluster.View.Snapshot;
        Holding holding = new ClusterStanding(snapshot).Of(snapshot.Self);
        string state = !drain.IsCompleted ? "draining" : holding.Primaries == 0 ? "drained" : "incomplete";
        return Progress(new DrainJson(snapshot.Self.Node, state, holding.Primaries, holding.Copies));
    }

    private async Task<AdminReply> ThereAsync(ClusterSources cluster, Member member, TimeSpan wait, CancellationToken cancellationToken)
    {
        long began = time.GetTimestamp();
        DrainJson? last = null;
        while (true)
        {
            (DrainJson? progress, ProblemJson? problem) =
                await peers!.AskAsync(member.Id, "/api/drain?local=true&wait=0", AdminJson.Default.DrainJson, cancellationToken);
            if (problem is not null)
            {
                return AdminReply.Problem(problem);
            }

            last = progress ?? last;
            if (last is not null && cluster.View.Snapshot.Find(member.Id) is null)
            {
                return Progress(new DrainJson(member.Id.Node, "left", 0, 0));
            }

            if (progress is { State: not "draining" })
            {
                return Progress(progress);
            }

            TimeSpan remaining = wait - time.GetElapsedTime(began);
            if (remaining <= TimeSpan.Zero)
            {
                return last is null
                    ? AdminReply.NoAnswer($"{member.Id.Node} did not answer; it may be draining all the same.")
                    : Progress(last);
            }

            await Task.Delay(remaining < Interval ? remaining : Interval, time, cancellationToken);
        }
    }
}
