using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Hosting;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Messages.Sharding;
using Cluster.Node.Admin;
using Cluster.Node.Commands;
using Cluster.Node.Configuration;
using Cluster.Node.Demo;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Configuration;
using Cluster.Sharding.Region;

namespace Cluster.Node.Hosting;

/// <summary>
/// A node's life: start, take spans, drain at SIGTERM or Ctrl-C, end. Draining refuses new spans (clients try again elsewhere), decides what
/// is pending, and gives the exporters <see cref="DrainPatience"/> to send what was kept. A second signal ends it at once.
/// </summary>
internal static class NodeHost
{
    /// <summary>Below the 30 s that container platforms leave a process by default.</summary>
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(25);

    /// <summary>How long shards may take to move to other nodes.</summary>
    private static readonly TimeSpan MovePatience = TimeSpan.FromSeconds(60);

    /// <summary>How long the store may take to end the lease.</summary>
    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(3);

    /// <summary>Runs a node until a signal or <paramref name="cancellationToken"/> ends it.</summary>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> RunAsync(
        NodeConfiguration configuration, IReadOnlyList<ConfigurationError> warnings, CancellationToken cancellationToken)
    {
        MemberId self = new(configuration.Cluster?.NodeId ?? Environment.MachineName, NodeServiceCollectionExtensions.RandomNumber());
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        LoggingSetup.Configure(builder.Logging, configuration.Logging);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddNode(configuration, self, TimeProvider.System);
        await using WebApplication? app = await StartAsync(builder, configuration, cancellationToken);
        if (app is null)
        {
            return CommandLine.FoundWrong;
        }

        using Signals signals = new(cancellationToken);
        ILogger logger = Logger(app);
        foreach (ConfigurationError warning in warnings)
        {
            logger.ConfigurationWarning(warning.Path, warning.Line, warning.Problem, warning.Fix);
        }

        Listen(app);
        ClusterLife? cluster = app.Services.GetService<ClusterLife>();
        if (cluster is not null && !await JoinAsync(app, cluster, self, signals.First))
        {
            return CommandLine.FoundWrong;
        }

        Open(app, logger);
        Task demo = configuration.Demo ? RunDemoAsync(app, signals.First) : Task.CompletedTask;
        await signals.First.WhenCancelledAsync();
        await demo;
        return await DrainAsync(app, logger, signals.Second) ? CommandLine.Good : CommandLine.FoundWrong;
    }

    /// <summary>Listens on every address; null, with the reason on standard error, when it cannot.</summary>
    private static async Task<WebApplication?> StartAsync(
        WebApplicationBuilder builder, NodeConfiguration configuration, CancellationToken cancellationToken)
    {
        WebApplication? app = null;
        try
        {
            // The doors are made with the server: addresses and certificates are read here already.
            app = builder.Build();
            NodeState state = app.Services.GetRequiredService<NodeState>();
            Logger(app).Starting(state.Id, state.Version);
            app.Run(KestrelDoors.DispatchAsync);
            await HotPathWarmUp.RunAsync(configuration.Sharding, configuration.Policies, TimeProvider.System);
            await app.StartAsync(cancellationToken);
            return app;
        }
        catch (Exception exception)
            when (exception is IOException or InvalidDataException or FormatException or CryptographicException or SocketException)
        {
            // The system's words for an address that is not this machine's, or a port that takes privileges, do not name it.
            string where = exception is SocketException ? $" (one of {string.Join(", ", Addresses(configuration))})" : "";
            await Console.Error.WriteLineAsync($"actorsampling: cannot start: {exception.Message}{where}");
            if (app is not null)
            {
                await app.DisposeAsync();
            }

            return null;
        }
    }

    private static IEnumerable<string> Addresses(NodeConfiguration configuration)
    {
        string?[] all =
        [
            configuration.Receiver.Grpc?.Endpoint,
            configuration.Receiver.Http?.Endpoint,
            configuration.Admin.Endpoint,
        ];
        return all.OfType<string>();
    }

    private static ILogger Logger(WebApplication app) => app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Cluster.Node");

    /// <summary>Says what is listened on.</summary>
    private static void Listen(WebApplication app)
    {
        OtlpReceiver receiver = app.Services.GetRequiredService<OtlpReceiver>();
        Door? admin = app.Services.GetRequiredService<AdminEndpoint>().Door;
        ListeningAddress[] listening = [.. new[] { receiver.Grpc, receiver.Http, admin }.OfType<Door>().Select(ListeningAddress.Of)];
        app.Services.GetRequiredService<NodeState>().ListenOn(listening);
        StartupBanner.WriteAddresses(Console.Out, listening);
    }

    /// <summary>Joins the cluster; false, with the reason on standard error, when it cannot or need not any more.</summary>
    private static async Task<bool> JoinAsync(WebApplication app, ClusterLife cluster, MemberId self, CancellationToken stop)
    {
        NodeState state = app.Services.GetRequiredService<NodeState>();
        state.Starting("joining the cluster");
        try
        {
            if (await cluster.JoinAsync(self, state.Listening, stop) is not { } problem)
            {
                return true;
            }

            await Console.Error.WriteLineAsync($"actorsampling: cannot join the cluster: {problem}");
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("actorsampling: ended before it had joined the cluster");
        }

        return false;
    }

    private static void Open(WebApplication app, ILogger logger)
    {
        app.Services.GetRequiredService<NodeState>().Ready();
        app.Services.GetRequiredService<Readiness>().Set(true);
        StartupBanner.WriteReady(Console.Out);
        logger.Ready();
    }

    /// <summary>Ends the node.</summary>
    /// <returns>Whether everything kept was sent.</returns>
    private static async Task<bool> DrainAsync(WebApplication app, ILogger logger, CancellationToken atOnce)
    {
        NodeState state = app.Services.GetRequiredService<NodeState>();
        ShardRegion region = app.Services.GetRequiredService<ShardRegion>();
        IShardInspection inspection = app.Services.GetRequiredService<IShardInspection>();
        ExportPipeline exporters = app.Services.GetRequiredService<ExportPipeline>();

        const string Reason = "the process was asked to end";
        state.Draining(Reason);
        app.Services.GetRequiredService<Readiness>().Set(false);
        logger.Draining(Reason, inspection.GetStatistics().PendingTraces);
        if (app.Services.GetService<ClusterLife>() is { } cluster)
        {
            await MoveShardsAsync(cluster, atOnce);
        }

        await region.DrainAsync();
        DrainReport report = await exporters.DrainAsync(DrainPatience, atOnce);

        if (app.Services.GetService<ClusterLife>() is { } member)
        {
            await LeaveAsync(member);
        }

        ShardRegionStatistics statistics = inspection.GetStatistics();
        using CancellationTokenSource stopNow = new(TimeSpan.FromSeconds(2));
        await app.StopAsync(stopNow.Token);
        await region.DisposeAsync();
        logger.Stopped(
            Math.Round((TimeProvider.System.GetUtcNow() - state.StartedAt).TotalSeconds, 1), statistics.AcceptedSpans, statistics.KeptSpans);
        return report.Complete;
    }

    /// <summary>Has the shards moved to other nodes, which may last; spans are taken meanwhile.</summary>
    private static async Task MoveShardsAsync(ClusterLife cluster, CancellationToken atOnce)
    {
        try
        {
            using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(atOnce);
            patience.CancelAfter(MovePatience);
            await cluster.DrainAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // What is still here is decided here, as on a node alone; copies elsewhere take over what they have.
        }
    }

    /// <summary>Tells the others that this node is gone, so that they need not wait for its lease to end.</summary>
    private static async Task LeaveAsync(ClusterLife cluster)
    {
        try
        {
            using CancellationTokenSource patience = new(LeavePatience);
            await cluster.LeaveAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // The lease ends by itself.
        }
    }

    private static Task RunDemoAsync(WebApplication app, CancellationToken stop)
    {
        OtlpReceiver receiver = app.Services.GetRequiredService<OtlpReceiver>();
        return receiver.Http is not { } http
            ? Task.CompletedTask
            : new DemoWorkload(http.Url, TimeProvider.System, new Random(), app.Services.GetRequiredService<ILogger<DemoWorkload>>()).RunAsync(stop);
    }

    private static Task WhenCancelledAsync(this CancellationToken token)
    {
        TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        token.Register(cancelled.SetResult);
        return cancelled.Task;
    }

    /// <summary>The first signal to end, and the second one.</summary>
    private sealed class Signals : IDisposable
    {
        private readonly CancellationTokenSource _first;
        private readonly CancellationTokenSource _second = new();
        private readonly PosixSignalRegistration[] _registrations;

        public Signals(CancellationToken cancellationToken)
        {
            _first = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            _registrations =
            [
                PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
                PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            ];
        }

        public CancellationToken First => _first.Token;

        public CancellationToken Second => _second.Token;

        public void Dispose()
        {
            foreach (PosixSignalRegistration registration in _registrations)
            {
                registration.Dispose();
            }

            _first.Dispose();
            _second.Dispose();
        }

        private void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            (_first.IsCancellationRequested ? _second : _first).Cancel();
        }
    }

    /// <summary>The node ends by itself; hosting shall not end it.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
