using Cluster.Gateway.Receivers.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>Composition of the OTLP doors.</summary>
public static class OtlpReceiverServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="OtlpReceiver"/>, <see cref="GatewayStatistics"/> and <see cref="Readiness"/>, and opens the doors on the host's
    /// Kestrel server. The host also needs an <see cref="ITraceConsumer"/>, and <see cref="KestrelDoors.DispatchAsync"/> as its pipeline.
    /// </summary>
    public static IServiceCollection AddOtlpReceiver(this IServiceCollection services, OtlpReceiverOptions options, GatewayLimits limits)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<Readiness>();
        services.AddSingleton(_ => new InFlightBytes(limits.InFlightBytes));
        services.AddSingleton(_ => new ConnectionLimit(limits.Connections));
        services.AddSingleton(provider => new GatewayStatistics(
            provider.GetRequiredService<InFlightBytes>(), provider.GetRequiredService<ConnectionLimit>()));
        services.AddSingleton(provider => new DoorServices(
            provider.GetRequiredService<ITraceConsumer>(),
            limits,
            provider.GetRequiredService<InFlightBytes>(),
            provider.GetRequiredService<GatewayStatistics>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new OtlpReceiver(
            options,
            provider.GetRequiredService<DoorServices>(),
            provider.GetRequiredService<ConnectionLimit>(),
            provider.GetRequiredService<Readiness>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping));
        services.Replace(ServiceDescriptor.Singleton<IMemoryPoolFactory<byte>, PinnedBlockPoolFactory>());
        services.AddSingleton<IConfigureOptions<KestrelServerOptions>>(provider =>
            new ConfigureOptions<KestrelServerOptions>(server => provider.GetRequiredService<OtlpReceiver>().ConfigureKestrel(server)));

        // Below it, hosting makes an activity and a logging scope for every request.
        services.Configure<LoggerFilterOptions>(filter =>
            filter.Rules.Add(new LoggerFilterRule(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None, null)));
        return services;
    }
}
