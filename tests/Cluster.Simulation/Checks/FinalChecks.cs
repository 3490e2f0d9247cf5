using Cluster.Messages.Sharding;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Load;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Checks;

/// <summary>What must hold when the faults are over: the cluster becomes quiet and whole again, and nothing is missing.</summary>
internal sealed class FinalChecks(SimWorld world, VerdictChecks verdicts)
{
    /// <summary>So long nothing may be said any more but that one is alive.</summary>
    private const long Silence = 3 * Scheduler.Second;

    private int Holders => world.Nodes.Count - world.Options.GatewayOnly;

    /// <summary>Why the cluster is not quiet yet; null when it is.</summary>
    public string? NotQuiet()
    {
        if (world.Nemesis.UnderWay > 0 || world.Nodes.Any(node => node.Process is null || node.IsDraining))
        {
            return "faults are under way";
        }

        if (world.Client.Open > 0)
        {
            return $"{world.Client.Open} requests of clients are not safe yet";
        }

        foreach (SimNode node in world.Nodes)
        {
            SimProcess process = node.Process!;
            if (!process.IsIdle)
            {
                return $"{process.Name} has requests or exports under way";
            }

            foreach (SimWorker worker in process.Workers)
            {
                if (worker.Services.Statistics.PendingTraces != 0)
                {
                    return $"{process.Name} has {worker.Services.Statistics.PendingTraces} pending traces";
                }

                if (HostProbe.LogEntries(worker.Host, world.Options.Shards) is > 0 and int entries)
                {
                    return $"{process.Name} has {entries} entries in its logs that should be trimmed";
                }
            }
        }

        return NotWhole()
            ?? (world.Network.LastSent > world.Scheduler.Now - Silence ? $"nodes still talk: {world.Network.LastKind}"
                : world.Store.LastRequest.Time > world.Scheduler.Now - Silence ? $"nodes still ask the store: {world.Store.LastRequest.Text}"
                : null);
    }

    /// <summary>Nothing is missing, nothing was cut in two, nothing came too often.</summary>
    public void Finish()
    {
        foreach (TraceTruth trace in world.Workload.Traces)
        {
            bool arrived = trace.HasArrived;
            foreach (SpanTruth span in trace.Spans)
            {
                Check(trace, span, arrived);
            }
        }

        verdicts.Finish();
    }

    private void Check(TraceTruth trace, SpanTruth span, bool arrived)
    {
        if (span.Acknowledged < 0)
        {
            throw new ViolationException("quiescence", $"{span} was never acknowledged");
        }

        if (arrived && span.Arrivals == 0)
        {
            throw new ViolationException(
                "loss", $"{span}, acknowledged at {span.Acknowledged / 1e6:F3} s, is missing in what was kept of its trace, in shard {trace.Shard}");
        }

        // A verdict may come early by what a clock is too fast or jumps, never by more.
        long open = (long)(world.Options.DecisionWait * (1 - NodeClock.MaxDrift)) - Scheduler.Second;
        if (span.IsError && !arrived && span.Acknowledged < trace.FirstSent + open)
        {
            throw new ViolationException(
                "loss", $"{span} says error, was acknowledged at {span.Acknowledged / 1e6:F3} s before a verdict could be, and its trace was not kept");
        }

        int promotions = world.Truth.PromotionsOf.GetValueOrDefault(trace.Shard);
        if (span.Arrivals > span.Sends * (1 + promotions))
        {
            throw new ViolationException(
                "duplicates", $"{span} arrived {span.Arrivals} times, after {span.Sends} sends and {promotions} changes of its primary");
        }
    }

    /// <summary>Each shard has its primary and all its copies, and nobody has too many.</summary>
    private string? NotWhole()
    {
        ShardAllocation allocation = world.Truth.Allocation!;
        Dictionary<MemberId, int> primaries = [];
        Dictionary<MemberId, int> copies = [];
        int replicas = Math.Min(world.Options.Replicas, Holders - 1);
        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            ShardAssignment assignment = allocation[shard];
            if (world.Truth.ProcessOf(assignment.Primary) is null)
            {
                return $"shard {shard} has no primary";
            }

            if (assignment.Replicas.Count != replicas || assignment.Replicas.Any(copy => !copy.InSync || world.Truth.ProcessOf(copy.Member) is null))
            {
                return $"shard {shard} has the copies [{string.Join(", ", assignment.Replicas)}]";
            }

            primaries[assignment.Primary] = primaries.GetValueOrDefault(assignment.Primary) + 1;
            foreach (ShardCopy copy in assignment.Replicas)
            {
                copies[copy.Member] = copies.GetValueOrDefault(copy.Member) + 1;
            }
        }

        return Unbalanced(primaries, allocation.ShardCount, "primaries") ?? Unbalanced(copies, allocation.ShardCount * replicas, "copies");
    }

    private string? Unbalanced(Dictionary<MemberId, int> held, int total, string what)
    {
        // So few shards cannot be shared evenly: 1.1 times the mean, or the next whole number.
        int most = Math.Max((int)(1.1 * total / Holders), (total + Holders - 1) / Holders);
        foreach ((MemberId member, int count) in held)
        {
            if (count > most)
            {
                return $"{member.Node} has {count} of {total} {what}";
            }
        }

        return null;
    }
}
