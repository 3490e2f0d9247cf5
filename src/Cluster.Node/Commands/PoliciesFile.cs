using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Commands;

/// <summary>The policies of a file, and the limit on a trace's size.</summary>
/// <param name="Policies">Compiled.</param>
/// <param name="MaximumTraceSizeBytes">0 for none.</param>
internal sealed record PoliciesFile(PolicySet Policies, long MaximumTraceSizeBytes)
{
    /// <summary>
    /// Reads a whole configuration, or a part of one: <c>policies</c> and other keys of <c>tail_sampling</c> at the top, or under a
    /// <c>tail_sampling</c> key. Null when there is an error.
    /// </summary>
    public static PoliciesFile? Read(string yaml, CommandEnvironment environment, ConfigurationErrors errors)
    {
        // A first look at the keys; findings are those of the second.
        ConfigurationErrors ignored = new();
        IEnumerable<string> keys = ConfigurationSection.Parse(yaml, ignored)?.Keys ?? [];
        string? block = keys.FirstOrDefault(k => ComponentId.TypeOf(k) == "tail_sampling");
        if (!keys.Contains("policies") && block is null)
        {
            NodeConfiguration? whole = NodeConfigurationReader.Read(yaml, environment.Variable, environment.AvailableMemoryBytes, errors);
            return whole is null ? null : new PoliciesFile(whole.Policies, whole.Sharding.MaximumTraceSizeBytes);
        }

        ConfigurationReading reading = new(errors);
        if (ConfigurationSection.Parse(yaml, errors, new EnvironmentExpansion(environment.Variable, errors).Expand) is not { } root)
        {
            return null;
        }

        ConfigurationSection? section = block is null ? root : root.Section(block);
        if (section is null)
        {
            return null;
        }

        (ShardRegionOptions options, PolicySet? policies) = TailSamplingReader.Read(section, reading);
        if (block is not null)
        {
            reading.Close(root);
        }

        return errors.HasErrors || policies is null ? null : new PoliciesFile(policies, options.MaximumTraceSizeBytes);
    }
}
