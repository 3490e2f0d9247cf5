namespace Cluster.EndToEnd.Tests.Clusters;

/// <summary>Clusters of real processes need the machine for themselves: their tests run one after the other, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ClusterCollection
{
    public const string Name = "Clusters";
}
