using System.Net;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Node.Admin;
using Cluster.Node.Configuration;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;
using Cluster.Sharding.Store;
using Cluster.Sharding.Transport;

namespace Cluster.Node.Hosting;

/// <summary>Composition of what a node of a cluster has instead of, and beyond, that of a node alone.</summary>
internal static class ClusterServiceCollectionExtensions
{
    /// <summary>Adds the region of a member, its links, and what it takes to join.</summary>
    public static void AddCluster(this IServiceCollection services, NodeConfiguration configuration, ClusterOptions cluster, MemberId self)
    {
        LeasedBudgets budgets = new(configuration.Policies.Budgets);
        services.AddSingleton(budgets);
        services.AddSingleton<IBudgets>(budgets);
        services.AddSingleton<IClusterStore>(provider => new EtcdClusterStore(Store(cluster), provider.GetRequiredService<TimeProvider>(), Seeded()));
        services.AddSingleton<IClusterLog, ClusterLog>();
        services.AddSingleton(provider => new ClusterRuntime(
            self,
            cluster.Shards,
            budgets,
            configuration.Policies,
            provider.GetRequiredService<MonotonicClock>(),
            (question, cancellationToken) => provider.GetRequiredService<AdminEndpoint>().Questions.AnswerAsync(question, cancellationToken),
            provider.GetRequiredService<IClusterLog>()));
        services.AddSingleton(provider => new PeerLinks(
            Links(cluster, self), provider.GetRequiredService<ClusterRuntime>(), provider.GetRequiredService<TimeProvider>(), Seeded()));
        services.AddSingleton(provider => new Sharding.Transport.PeerQuestions(
            provider.GetRequiredService<PeerLinks>(), provider.GetRequiredService<ClusterRuntime>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider =>
        {
            ClusterRuntime runtime = provider.GetRequiredService<ClusterRuntime>();
            return new ShardRegion(
                self,
                configuration.Sharding with { KeepWholeFrames = true, MinInSync = cluster.MinInSync, ReplicaTimeout = cluster.ReplicaTimeout },
                configuration.Policies,
                budgets,
                ShardAllocation.Unowned(cluster.Shards),
                provider.GetRequiredService<ExportPipeline>(),
                provider.GetRequiredService<MonotonicClock>(),
                new TraceIdHasher(NodeServiceCollectionExtensions.RandomNumber()),
                runtime,
                runtime.ReportsChanged);
        });
        services.AddSingleton<Func<Member, ClusterControl>>(provider => member => new ClusterControl(
            provider.GetRequiredService<IClusterStore>(),
            Control(cluster),
            member,
            provider.GetRequiredService<ClusterRuntime>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<MonotonicClock>().Start));
        services.AddSingleton(provider =>
        {
            ClusterRuntime runtime = provider.GetRequiredService<ClusterRuntime>();
            return new ClusterSources { View = runtime, Options = cluster, Statistics = () => ClusterNumbers.Of(runtime) };
        });
        services.AddSingleton<ClusterLife>();
    }

    private static EtcdOptions Store(ClusterOptions cluster) => new()
    {
        Endpoints = cluster.Etcd.Endpoints,
        Cluster = cluster.Name,
        Username = cluster.Etcd.Username,
        Password = cluster.Etcd.Password,
        CaFile = cluster.Etcd.CaFile,
        CertFile = cluster.Etcd.CertFile,
        KeyFile = cluster.Etcd.KeyFile,
        RequestTimeout = TimeSpan.FromTicks(Math.Min(TimeSpan.FromSeconds(2).Ticks, cluster.LeaseTimeToLive.Ticks / 3)),
    };

    private static PeerLinkOptions Links(ClusterOptions cluster, MemberId self)
    {
        HostPort listen = HostPort.TryParse(cluster.Listen, out HostPort parsed, out string problem) ? parsed : throw new FormatException(problem);
        IPAddress address = listen.Host.Length == 0 ? IPAddress.Any
            : listen.Host == "localhost" ? IPAddress.Loopback
            : IPAddress.Parse(listen.Host);
        return new PeerLinkOptions
        {
            Self = self,
            Cluster = cluster.Name,
            ShardCount = cluster.Shards,
            Listen = new IPEndPoint(address, listen.Port),
            Tls = cluster.PeerTls is { } tls
                ? new Sharding.Transport.PeerTlsOptions { CertFile = tls.CertFile, KeyFile = tls.KeyFile, CaFile = tls.CaFile }
                : null,
        };
    }

    private static ClusterControlOptions Control(ClusterOptions cluster) => new()
    {
        ShardCount = cluster.Shards,
        Replicas = cluster.Replicas,
        MinInSync = cluster.MinInSync,
        LeaseTimeToLive = cluster.LeaseTimeToLive,
        LeaseMargin = TimeSpan.FromTicks(Math.Min(TimeSpan.FromSeconds(1).Ticks, cluster.LeaseTimeToLive.Ticks / 4)),
    };

    private static Random Seeded() => new(unchecked((int)NodeServiceCollectionExtensions.RandomNumber()));
}
