using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Coordination;

/// <summary>
/// What a primary tells the coordinator of one copy of one of its shards. A node publishes all its reports together, and the coordinator acts on what
/// it reads: a report holds until it is withdrawn, and one about an older term or stay means nothing.
/// </summary>
/// <param name="Shard">The shard.</param>
/// <param name="Term">Of the reporting primary.</param>
/// <param name="Member">Who holds the copy.</param>
/// <param name="Since">Which stay of it there (<see cref="ShardCopy.Since"/>).</param>
/// <param name="State">What is said.</param>
public readonly record struct ShardReport(int Shard, uint Term, MemberId Member, long Since, CopyState State);

/// <summary>What a primary finds of a copy.</summary>
public enum CopyState
{
    /// <summary>
    /// A learner has everything; from before this is said on, the primary acknowledges nothing without it. The coordinator marks it in
    /// sync.
    /// </summary>
    CaughtUp = 1,

    /// <summary>It does not answer in time. The coordinator takes it off the shard; until then the primary goes on waiting for it.</summary>
    Suspect = 2,

    /// <summary>
    /// The primary of this term follows an allocation in which the copy is stale, and goes on without it. From then on the coordinator may have
    /// another copy filled in its place.
    /// </summary>
    Released = 3,
}
