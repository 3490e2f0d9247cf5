using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Node.Configuration;

/// <summary>The one call from the reader of the file to the compiler of its policies.</summary>
internal static class PolicyCompilerSeam
{
    /// <summary>Compiles <c>policies</c> and <c>sample_on_first_match</c>; null when they have errors, which the section then holds.</summary>
    public static PolicySet? Compile(ConfigurationSection tailSampling)
    {
        tailSampling.Bool("sample_on_first_match", false);
        if (tailSampling.Sections("policies") is null)
        {
            tailSampling.Error("policies", "is missing", "list at least one policy");
            return null;
        }

        return new PolicySet();
    }
}
