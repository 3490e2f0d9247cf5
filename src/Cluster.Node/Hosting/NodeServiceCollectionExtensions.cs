using System.Buffers.Binary;
using System.Reflection;
using System.Security.Cryptography;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Gateway.Routing;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Node.Admin;
using Cluster.Node.Configuration;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Cluster.Node.Hosting;

/// <summary>Composition of a node: from its last part to its first, since each needs the one after it.</summary>
internal static class NodeServiceCollectionExtensions
{
    /// <summary>Adds every part of a node: one that owns all shards, or with <c>cluster</c> one of several.</summary>
    public static IServiceCollection AddNode(this IServiceCollection services, NodeConfiguration configuration, MemberId self, TimeProvider time)
    {
        services.AddSingleton(time);
        services.AddSingleton(new MonotonicClock(time));

        // Exporters.
        services.AddSingleton(provider => ExporterFactory.Create(
            configuration.Exporters, time, provider.GetRequiredService<ILoggerFactory>(), RandomFraction));

        // Shards.
        if (configuration.Cluster is { } cluster)
        {
            services.AddCluster(configuration, cluster, self);
        }
        else
        {
            services.AddSingleton<IBudgets>(new TokenBuckets(configuration.Policies.Budgets));
            services.AddSingleton(provider => new ShardRegion(
                self,
                configuration.Sharding,
                configuration.Policies,
                provider.GetRequiredService<IBudgets>(),
                ShardAllocation.Alone(self, configuration.Sharding.ShardCount),
                provider.GetRequiredService<ExportPipeline>(),
                provider.GetRequiredService<MonotonicClock>(),
                new TraceIdHasher(RandomNumber())));
        }

        services.AddSingleton<IShardInspection>(provider => new ShardInspection(provider.GetRequiredService<ShardRegion>()));

        // Doors.
        services.AddSingleton<ITraceConsumer>(provider => new ShardRouter(
            provider.GetRequiredService<ShardRegion>(),
            self.Incarnation,
            new TraceIdHasher(RandomNumber()),
            configuration.Limits.InFlightBytes));
        services.AddOtlpReceiver(configuration.Receiver, configuration.Limits);

        // Admin.
        services.AddSingleton(new NodeState
        {
            Id = self.Node,
            Version = typeof(NodeHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0],
            StartedAt = time.GetUtcNow(),
            ProcessorId = configuration.ProcessorId,
            Limits = configuration.Limits,
            Sharding = configuration.Sharding,
        });
        services.AddSingleton(provider => new AdminSources
        {
            Node = provider.GetRequiredService<NodeState>(),
            Shards = provider.GetRequiredService<IShardInspection>(),
            Cluster = provider.GetService<ClusterSources>(),
            Gateway = provider.GetRequiredService<GatewayStatistics>().Snapshot,
            Exporters = provider.GetRequiredService<ExportPipeline>().GetStatus,
            Process = new ProcessInspection().Snapshot,
        });
        services.AddSingleton(provider => new AdminEndpoint(
            configuration.Admin,
            provider.GetRequiredService<AdminSources>(),
            time,
            provider.GetRequiredService<ILogger<AdminEndpoint>>()));
        services.AddSingleton<IConfigureOptions<KestrelServerOptions>>(provider =>
            new ConfigureOptions<KestrelServerOptions>(server => provider.GetRequiredService<AdminEndpoint>().ConfigureKestrel(server)));
        return services;
    }

    /// <summary>A region and a router to it that no door leads to. Whoever asked for the region disposes it.</summary>
    public static (ShardRegion Region, ITraceConsumer Router) CreateApart(
        ShardRegionOptions options, PolicySet policies, IKeptTraceQueue queue, TimeProvider time)
    {
        MemberId self = new("apart", 1);
        ShardRegion region = new(
            self,
            options,
            policies,
            new TokenBuckets(policies.Budgets),
            ShardAllocation.Alone(self, options.ShardCount),
            queue,
            new MonotonicClock(time),
            new TraceIdHasher(RandomNumber()));
        return (region, new ShardRouter(region, incarnation: 0, new TraceIdHasher(RandomNumber())));
    }

    /// <summary>64 random bits.</summary>
    internal static ulong RandomNumber()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private static double RandomFraction() => (RandomNumber() >> 11) * (1.0 / (1UL << 53));
}
