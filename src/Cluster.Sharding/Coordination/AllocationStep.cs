using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Coordination;

/// <summary>The next allocation, and what must still be so when it is committed.</summary>
/// <param name="Next">One version higher.</param>
/// <param name="TakenForDead">Names of nodes whose runs were taken for dead: their records must be as they were read.</param>
/// <param name="Emptied">Shards that begin anew because nobody is left who had them.</param>
/// <param name="StalePromotions">Shards of which a stale copy becomes the primary because no other was left.</param>
internal sealed record AllocationStep(ShardAllocation Next, IReadOnlySet<string> TakenForDead, int Emptied, int StalePromotions);
