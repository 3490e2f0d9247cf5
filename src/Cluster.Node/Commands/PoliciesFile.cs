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
    /// Reads the <c>tail_sampling</c> block of a whole configuration, the one that its pipeline uses, or a file that is only a part of one:
    /// <c>policies</c> and other keys of the block at the top, or the block itself. Null when there is an error. What is wrong elsewhere in
    /// the file, an unset variable for example, is not looked at.
    /// </summary>
    public static PoliciesFile? Read(string yaml, CommandEnvironment environment, ConfigurationErrors errors)
    {
        ConfigurationErrors all = new();
        ConfigurationSection? root = ConfigurationSection.Parse(yaml, all, new EnvironmentExpansion(environment.Variable, all).Expand);
        ConfigurationSection? block = root is null ? null : FindBlock(root);
        PoliciesFile? file = null;
        if (block is not null)
        {
            (ShardRegionOptions options, PolicySet? policies) = TailSamplingReader.Read(block, new ConfigurationReading(all));
            file = policies is null ? null : new PoliciesFile(policies, options.MaximumTraceSizeBytes);
        }
        else if (root is not null)
        {
            errors.Error("", root.Line, "no policies", "write 'policies:' at the top, or name a whole configuration");
        }

        foreach (ConfigurationError finding in all.All.Where(e => block is null || e.Path.StartsWith(block.Path, StringComparison.Ordinal)))
        {
            if (finding.Severity == ConfigurationSeverity.Error)
            {
                errors.Error(finding.Path, finding.Line, finding.Problem, finding.Fix);
            }
        }

        return errors.HasErrors ? null : file;
    }

    private static ConfigurationSection? FindBlock(ConfigurationSection root)
    {
        if (root.Has("policies"))
        {
            return root;
        }

        ConfigurationSection? parent = root.Has("processors") ? root.Section("processors") : root;
        Pipeline? pipeline = root.Has("service") ? PipelineReader.Read(root, new ConfigurationReading(new ConfigurationErrors())) : null;
        string[] ids = [.. parent?.Keys.Where(id => ComponentId.TypeOf(id) == "tail_sampling") ?? []];
        string? chosen = ids.FirstOrDefault(id => pipeline?.Uses("processors", id) ?? true) ?? ids.FirstOrDefault();
        return chosen is null ? null : parent!.Section(chosen);
    }
}
