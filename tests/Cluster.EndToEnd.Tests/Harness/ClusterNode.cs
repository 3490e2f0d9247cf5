using System.Net;
using Cluster.Testing;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>A place in the cluster: a name and ports that stay, and processes that come and go there.</summary>
internal sealed class ClusterNode : IAsyncDisposable
{
    private readonly ClusterSettings _settings;
    private readonly NodePlace _place;
    private readonly int[] _ports = EtcdProcess.FreePorts(4);
    private readonly List<string> _earlier = [];
    private NodeProcess? _process;

    /// <param name="settings">What all nodes have in common.</param>
    /// <param name="place">What is this one's own.</param>
    public ClusterNode(ClusterSettings settings, NodePlace place)
    {
        (_settings, _place) = (settings, place);
        Gateway = new Gateway(place.Id, Door(0), Door(1));
    }

    /// <summary>Its name.</summary>
    public string Id => _place.Id;

    /// <summary>Its doors; the same after a restart.</summary>
    public Gateway Gateway { get; }

    /// <summary>The OTLP/gRPC door.</summary>
    public Uri Grpc => Door(0);

    /// <summary>The OTLP/HTTP door.</summary>
    public Uri Http => Door(1);

    /// <summary>The admin endpoint.</summary>
    public Uri Admin => Door(2);

    /// <summary>The process that runs, or ran last.</summary>
    public NodeProcess Process => _process ?? throw new InvalidOperationException($"{Id} was never started");

    /// <summary>True while a process runs here.</summary>
    public bool IsRunning => _process is { HasEnded: false };

    /// <summary>What all its processes wrote.</summary>
    public string Output => string.Join("\n--- started again ---\n", [.. _earlier, _process?.Output ?? ""]);

    /// <summary>Starts a process, which need not be ready when this returns.</summary>
    public async Task LaunchAsync()
    {
        if (_process is { } last)
        {
            _earlier.Add(last.Output);
            await last.DisposeAsync();
        }

        _process = await NodeProcess.LaunchAsync(_settings.ToYaml(_place, _ports[3]), [
            "--otlp-grpc", Door(0).Authority, "--otlp-http", Door(1).Authority, "--admin", Door(2).Authority,
        ], _place.Launcher);
    }

    /// <summary>Starts a process that is ready when this returns.</summary>
    public async Task StartAsync()
    {
        await LaunchAsync();
        await Process.WaitUntilReadyAsync();
    }

    /// <summary>What it says of the cluster; null when it does not answer.</summary>
    public async Task<ClusterView?> ViewAsync()
    {
        try
        {
            (HttpStatusCode status, string body) = await Process.AskAsync("/api/cluster");
            return status == HttpStatusCode.OK ? ClusterView.Parse(body) : null;
        }
        catch (Exception exception) when (exception is HttpRequestException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The sum over all labels of one of its metrics.</summary>
    public async Task<double> MetricAsync(string name)
    {
        (HttpStatusCode status, string body) = await Process.AskAsync("/metrics");
        Assert.Equal(HttpStatusCode.OK, status);
        return body.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length && line[name.Length] is ' ' or '{')
            .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..]));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Gateway.Dispose();
        if (_process is { } process)
        {
            await process.KillAsync();
            await process.DisposeAsync();
        }
    }

    private Uri Door(int index) => new($"http://{_place.Doors}:{_ports[index]}");
}
