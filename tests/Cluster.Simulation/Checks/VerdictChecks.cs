using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Replication;
using Cluster.Sharding.Traces;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Load;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Checks;

/// <summary>At most one verdict a trace in the life of the cluster, and what reached the back end agrees with it.</summary>
internal sealed class VerdictChecks(SimWorld world)
{
    private readonly Dictionary<TraceId, Verdict> _verdicts = [];
    private readonly Dictionary<ShardPrimaryCore, (ulong Committed, int Count)> _seen = [];

    /// <summary>Something happened in a process: notes the verdicts that are now committed, which nothing may take back.</summary>
    public void Observe(SimProcess process, SimWorker worker)
    {
        for (int shard = 0; shard < world.Options.Shards; shard++)
        {
            if (worker.Host.Primary(shard) is not { } primary)
            {
                continue;
            }

            DecisionCache decisions = primary.Core.Remembered;
            if (_seen.TryGetValue(primary, out (ulong Committed, int Count) seen) && seen == (primary.Committed, decisions.Count))
            {
                continue;
            }

            _seen[primary] = (primary.Committed, decisions.Count);
            Note(process, primary, decisions, sampled: true);
            Note(process, primary, decisions, sampled: false);
        }
    }

    /// <summary>Every trace has its verdict, and everything that reached the back end is of a trace that was kept.</summary>
    public void Finish()
    {
        foreach (TraceTruth trace in world.Workload.Traces)
        {
            if (!_verdicts.TryGetValue(trace.Id, out Verdict? verdict))
            {
                throw new ViolationException("verdicts", $"trace {trace.Number} was never decided");
            }

            if (verdict.Decision == Decision.Sampled != trace.HasArrived)
            {
                throw new ViolationException(
                    "verdicts", $"trace {trace.Number} was {verdict}, and {(trace.HasArrived ? "arrived" : "did not arrive")}");
            }
        }
    }

    private void Note(SimProcess process, ShardPrimaryCore primary, DecisionCache decisions, bool sampled)
    {
        for (int entry = decisions.Newest(sampled); entry != 0; entry = decisions.Next(entry))
        {
            ref readonly RememberedDecision decision = ref decisions[entry];
            if (decision.Index > primary.Committed)
            {
                continue;
            }

            if (!_verdicts.TryGetValue(decision.TraceId, out Verdict? first))
            {
                ulong number = decision.TraceId.Low;
                world.Log.Write($"{process.Name} decided trace {number} of shard {primary.Core.Id} at {decision.Index}: {decision.Decision}");
                _verdicts.Add(decision.TraceId, new Verdict(decision.Index, decision.Decision, decision.SpanCount, process.Name));
            }
            else if (first.Index != decision.Index || first.Decision != decision.Decision || first.Spans != decision.SpanCount)
            {
                Verdict second = new(decision.Index, decision.Decision, decision.SpanCount, process.Name);
                throw new ViolationException("verdicts", $"trace {decision.TraceId.Low} of shard {primary.Core.Id} has two: {first}, then {second}");
            }
        }
    }

    private sealed record Verdict(ulong Index, Decision Decision, int Spans, string By)
    {
        public override string ToString() => $"{Decision} at {Index} by {By} with {Spans} spans";
    }
}
