using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Admin;
using Cluster.Sampling.Configuration;
using Cluster.Sharding.Region;

namespace Cluster.Node.Configuration;

/// <summary>
/// Reads a whole configuration file in the Collector's shape
/// (<see href="https://opentelemetry.io/docs/collector/configuration/"/>), with every finding at once. What it knows is described in
/// <c>docs/configuration.md</c>, which a test compares with it. Reads no file and no clock.
/// </summary>
public static class NodeConfigurationReader
{
    /// <summary>Reads the file.</summary>
    /// <param name="yaml">Its text.</param>
    /// <param name="environment">The value of an environment variable; null when it is not set.</param>
    /// <param name="availableMemoryBytes">Memory that the process may use; half of it is the default of <c>limits.memory_soft</c>.</param>
    /// <param name="errors">Where errors and warnings go.</param>
    /// <param name="given">What the command line says in place of the file; null for nothing.</param>
    /// <param name="machine">The machine it is for; null for this one.</param>
    /// <returns>Null when there is an error.</returns>
    public static NodeConfiguration? Read(
        string yaml,
        Func<string, string?> environment,
        long availableMemoryBytes,
        ConfigurationErrors errors,
        CommandLineOverrides? given = null,
        LocalMachine? machine = null) =>
        Read(
            yaml,
            environment,
            availableMemoryBytes,
            given ?? new CommandLineOverrides(),
            machine ?? LocalMachine.Current,
            new ConfigurationReading(errors, (machine ?? LocalMachine.Current).FileExists));

    /// <summary>Reads the file, noting in <paramref name="reading"/> what it knows.</summary>
    internal static NodeConfiguration? Read(
        string yaml,
        Func<string, string?> environment,
        long availableMemoryBytes,
        CommandLineOverrides given,
        LocalMachine machine,
        ConfigurationReading reading)
    {
        ConfigurationErrors errors = reading.Errors;
        if (ConfigurationSection.Parse(yaml, errors, new EnvironmentExpansion(environment, errors).Expand) is not { } root)
        {
            return null;
        }

        Pipeline? pipeline = PipelineReader.Read(root, reading);
        ReceiverBlock? receiver = ReadReceivers(root, pipeline, given, reading);
        ProcessorBlocks? processors = ProcessorReader.Read(root, pipeline, reading);
        IReadOnlyList<ExporterBlock> exporters = ExporterReader.Read(root, pipeline, processors?.Batch, reading);

        List<Listener> peers = [];
        ClusterOptions? cluster = ClusterReader.Read(root, given.Cluster ?? new ClusterOverrides(), machine, peers, reading);
        if (cluster is { IsGateway: false })
        {
            receiver = RelationChecks.CloseDoors(receiver, errors);
        }

        List<Listener> listeners = [.. receiver?.Listeners ?? []];
        ShardRegionOptions sharding = processors?.Sharding ?? new ShardRegionOptions();
        AdminOptions admin = OwnBlocksReader.ReadAdmin(root, given, listeners, reading);
        listeners.AddRange(peers);
        GatewayLimits limits = OwnBlocksReader.ReadLimits(root, availableMemoryBytes, reading, ref sharding);
        OwnBlocksReader.ReadSharding(root, reading, ref sharding);
        sharding = cluster is null ? sharding : sharding with { ShardCount = cluster.Shards };
        LoggingOptions logging = OwnBlocksReader.ReadLogging(root, reading);
        reading.Close(root);

        RelationChecks.CheckAddresses(listeners, exporters, errors);
        RelationChecks.CheckRoles(cluster, admin, root);
        RelationChecks.CheckQueues(exporters, availableMemoryBytes, errors);
        if (receiver is not null)
        {
            RelationChecks.CheckSizes(receiver, limits, cluster is not null, errors);
        }

        if (errors.HasErrors || receiver is null || processors?.Policies is null)
        {
            return null;
        }

        return new NodeConfiguration
        {
            Receiver = receiver.Options,
            Limits = limits,
            Sharding = sharding,
            Policies = processors.Policies,
            ProcessorId = processors.Id,
            Exporters = [.. exporters.Select(e => e.Options!)],
            Admin = admin,
            Cluster = cluster,
            Logging = logging,
        };
    }

    private static ReceiverBlock? ReadReceivers(
        ConfigurationSection root, Pipeline? pipeline, CommandLineOverrides given, ConfigurationReading reading)
    {
        ConfigurationSection? receivers = root.Section("receivers");
        ReceiverBlock? chosen = null;
        string chosenId = "";
        if (receivers is not null)
        {
            foreach ((string id, ConfigurationSection section) in ComponentId.Components(receivers))
            {
                bool used = pipeline?.Uses("receivers", id) ?? true;
                if (ComponentId.TypeOf(id) != "otlp")
                {
                    if (used)
                    {
                        receivers.Error(
                            id,
                            $"there is no receiver '{ComponentId.TypeOf(id)}' here",
                            "use otlp; let a Collector translate to OTLP before this node");
                    }

                    continue;
                }

                ReceiverBlock block = ReceiverReader.Read(section, used ? given : new CommandLineOverrides(), reading);
                if (used && chosen is not null)
                {
                    receivers.Error(id, $"is a second OTLP receiver, after {chosenId}", "keep one; it takes gRPC and HTTP");
                }
                else if (used)
                {
                    (chosen, chosenId) = (block, id);
                }
            }
        }

        if (pipeline is not null)
        {
            PipelineReader.CheckReferences(pipeline, "receivers", receivers);
        }

        return chosen;
    }
}
