using System.Diagnostics;
using System.Net;
using Cluster.Testing;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>An etcd, nodes, a back end that records and a load that knows the truth, all on this machine.</summary>
internal sealed class ClusterProcesses : IAsyncDisposable
{
    /// <summary>An allocation that is older than this was not one of many steps.</summary>
    private static readonly TimeSpan Still = TimeSpan.FromSeconds(0.5);

    private readonly List<ClusterNode> _nodes = [];

    private ClusterProcesses(ClusterPlan plan, RecordingBackend backend, EtcdProcess etcd)
    {
        (Backend, Etcd, Lease) = (backend, etcd, TimeSpan.FromSeconds(plan.LeaseSeconds));
        Settings = new ClusterSettings(new NodeSettings(backend) { DecisionWait = $"{plan.DecisionSeconds}s" }, etcd.Endpoint)
        {
            LeaseSeconds = plan.LeaseSeconds,
        };
        _nodes.AddRange(plan.Places.Select(place => new ClusterNode(Settings, place)));
        Load = new TraceLoad(_nodes.Select(node => node.Gateway), TimeSpan.FromSeconds(plan.DecisionSeconds), spansPerSecond: 200);
        Probe = new ServingProbe(Settings.Shards);
    }

    /// <summary>What all nodes have in common.</summary>
    public ClusterSettings Settings { get; }

    /// <summary>Where kept traces go.</summary>
    public RecordingBackend Backend { get; }

    /// <summary>The store.</summary>
    public EtcdProcess Etcd { get; }

    /// <summary>Every node there is or was.</summary>
    public IReadOnlyList<ClusterNode> Nodes => _nodes;

    /// <summary>Those that run.</summary>
    public IEnumerable<ClusterNode> Running => _nodes.Where(node => node.IsRunning);

    /// <summary>The load; <see cref="TraceLoad.Start"/> begins it.</summary>
    public TraceLoad Load { get; }

    /// <summary>Finds out when all shards serve.</summary>
    public ServingProbe Probe { get; }

    /// <summary>How long a lease lasts.</summary>
    public TimeSpan Lease { get; }

    /// <summary>
    /// Starts the nodes, waits until they are one cluster, and runs a scenario; when it fails, says what the nodes said and where all of their
    /// output is.
    /// </summary>
    public static async Task RunAsync(ClusterPlan plan, Func<ClusterProcesses, Task> scenario)
    {
        RecordingBackend backend = await RecordingBackend.StartAsync(plan.Backend);
        await using ClusterProcesses cluster = new(plan, backend, await EtcdProcess.StartAsync(address: plan.Store));
        try
        {
            await Task.WhenAll(cluster._nodes.Select(node => node.StartAsync()));
            await cluster.IsWholeAsync();
            await scenario(cluster);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            throw new InvalidOperationException($"{exception.Message}\n{await cluster.DescribeAsync()}", exception);
        }
    }

    /// <summary>Adds a place for a node, which is not started.</summary>
    public ClusterNode Add(string id)
    {
        ClusterNode node = new(Settings, NodePlace.OnLoopback(id));
        _nodes.Add(node);
        return node;
    }

    /// <summary>
    /// Waits until every running node sees all running nodes as one cluster with nothing missing, and the allocation has not changed for a while.
    /// Returns the <see cref="Stopwatch"/> time since when it was so.
    /// </summary>
    public async Task<long> IsWholeAsync()
    {
        string[] running = [.. Running.Select(node => node.Id)];
        ClusterView?[] views = [];
        (long version, long since) = (0, 0);
        await Eventually.HoldsAsync(
            async () =>
            {
                views = await Task.WhenAll(Running.Select(node => node.ViewAsync()));
                long[] versions = [.. views.Where(view => view?.IsWhole(running) == true).Select(view => view!.AllocationVersion).Distinct()];
                if (views.All(view => view?.IsWhole(running) == true) && versions is [long only])
                {
                    since = only == version ? since : Stopwatch.GetTimestamp();
                    version = only;
                    return Stopwatch.GetElapsedTime(since) > Still;
                }

                version = 0;
                return false;
            },
            () => $"{string.Join(", ", running)} are one cluster; they see:\n{string.Join('\n', views.Select(Describe))}");
        return since;
    }

    /// <summary>Waits until every trace is decided, and everything kept has been sent.</summary>
    public Task IsQuietAsync() => Eventually.HoldsAsync(
        async () =>
        {
            foreach (ClusterNode node in Running)
            {
                if (await node.MetricAsync("actorsampling_pending_traces") > 0 || await node.MetricAsync("actorsampling_exporter_queue_bytes") > 0)
                {
                    return false;
                }
            }

            return true;
        },
        () => "everything is decided and sent");

    /// <summary>
    /// Ends the load, waits until everything is decided and has left the nodes, and compares. Spans of the load that were never acknowledged are
    /// a failure too: every fault has passed.
    /// </summary>
    public async Task AssertNothingLostAsync(params IReadOnlyList<Fault> faults)
    {
        await Load.StopAsync();
        await IsQuietAsync();
        LoadReport report = Compare();
        await Eventually.HoldsAsync(() => (report = Compare()).IsComplete, () => $"everything acknowledged arrived; {report}");
        Say(report.ToString());
        Say($"{Load.Unacknowledged.Count(no => no.Refused)} refusals, {Load.Unacknowledged.Count(no => !no.Refused)} attempts without an answer");
        Assert.Empty(Backend.Problems);
        report.AssertGood(faults);
        foreach (ClusterNode node in Running)
        {
            Assert.Equal(0, await node.MetricAsync("actorsampling_shard_lost_total"));
            Assert.Equal(0, await node.MetricAsync("actorsampling_worker_failures_total"));
        }
    }

    /// <summary>Writes a line to the test's output.</summary>
    public static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Load.Dispose();
        foreach (ClusterNode node in _nodes)
        {
            await node.DisposeAsync();
        }

        await Etcd.DisposeAsync();
        await Backend.DisposeAsync();
    }

    private static string Describe(ClusterView? view) => view is null
        ? "no answer"
        : $"{view.Self}: coordinator {view.Coordinator}, allocation {view.AllocationVersion}, fenced {view.Fenced}, {view.Shards}; "
            + string.Join(", ", view.Members);

    private LoadReport Compare() => LoadReport.Of(Load.Spans.Concat(Probe.Spans), Backend.Arrivals);

    private async Task<string> DescribeAsync()
    {
        string folder = Directory.CreateTempSubdirectory("actorsampling-failed-").FullName;
        List<string> lines = [$"output of all nodes is in {folder}"];
        foreach (ClusterNode node in _nodes)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, $"{node.Id}.log"), node.Output);
            lines.Add(node.IsRunning ? Describe(await node.ViewAsync()) : $"{node.Id}: ended");
            lines.AddRange(node.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(8).Select(line => $"  {line}"));
        }

        await File.WriteAllTextAsync(Path.Combine(folder, "etcd.log"), Etcd.Output);
        return string.Join('\n', lines);
    }
}

/// <summary>What a cluster is made of.</summary>
internal sealed record ClusterPlan
{
    /// <summary><c>lease_ttl</c>, seconds.</summary>
    public int LeaseSeconds { get; init; } = 5;

    /// <summary><c>decision_wait</c>, seconds.</summary>
    public int DecisionSeconds { get; init; } = 2;

    /// <summary>Where nodes find etcd.</summary>
    public IPAddress Store { get; init; } = IPAddress.Loopback;

    /// <summary>Where nodes find the back end.</summary>
    public IPAddress Backend { get; init; } = IPAddress.Loopback;

    /// <summary>The nodes.</summary>
    public IReadOnlyList<NodePlace> Places { get; init; } = [.. Enumerable.Range(1, 3).Select(number => NodePlace.OnLoopback($"node-{number}"))];
}
