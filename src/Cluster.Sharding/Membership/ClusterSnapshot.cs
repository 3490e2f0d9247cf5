using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Membership;

/// <summary>Who is in the cluster and who holds which shard, as one node last read it from the store. Immutable.</summary>
/// <param name="Self">The reading node.</param>
/// <param name="Members">Everyone who is alive, by node name.</param>
/// <param name="Allocation">Who holds which shard.</param>
/// <param name="Coordinator">Who allocates at the moment; nobody between two coordinators.</param>
public sealed record ClusterSnapshot(
    MemberId Self, IReadOnlyList<Member> Members, ShardAllocation Allocation, MemberId Coordinator)
{
    /// <summary>A member by its ID; null when it is not alive (as that run).</summary>
    public Member? Find(MemberId id)
    {
        foreach (Member member in Members)
        {
            if (member.Id == id)
            {
                return member;
            }
        }

        return null;
    }
}

/// <summary>A node that is alive: its record in the store, bound to its lease.</summary>
/// <param name="Id">Its name and run.</param>
/// <param name="Address">Where peers connect, <c>host:port</c>.</param>
/// <param name="Zone">Failure domain; empty when not set.</param>
/// <param name="HoldsShards">Role <c>shards</c>: shards may be allocated to it.</param>
/// <param name="Capacity">Share of the shards it takes, relative to others; 1 by default, above 0.</param>
/// <param name="Leaving">It drains: everything it holds is to be moved away.</param>
/// <param name="Gateway">Its OTLP door, for people; empty when it has none.</param>
/// <param name="Admin">Its admin endpoint, for people; empty when it has none.</param>
/// <param name="ProductVersion">Of the program.</param>
public sealed record Member(
    MemberId Id,
    string Address,
    string Zone = "",
    bool HoldsShards = true,
    double Capacity = 1,
    bool Leaving = false,
    string Gateway = "",
    string Admin = "",
    string ProductVersion = "");
