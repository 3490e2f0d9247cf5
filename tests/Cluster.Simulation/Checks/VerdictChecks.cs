using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Checks;

/// <summary>At most one verdict a trace, in the life of the cluster.</summary>
internal sealed class VerdictChecks(SimWorld world)
{
    /// <summary>Something happened in a process.</summary>
    public void Observe(SimProcess process, SimWorker worker)
    {
        _ = (world, process, worker);
    }

    /// <summary>Verdicts and what arrived agree.</summary>
    public void Finish()
    {
    }
}
