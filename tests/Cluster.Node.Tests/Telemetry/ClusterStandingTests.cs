using Cluster.Messages.Sharding;
using Cluster.Node.Telemetry;
using Cluster.Sharding.Membership;

namespace Cluster.Node.Tests.Telemetry;

public sealed class ClusterStandingTests
{
    private static readonly MemberId A = new("a", 1);
    private static readonly MemberId B = new("b", 1);
    private static readonly MemberId Gone = new("b", 2);

    [Fact]
    public void Count_CopiesAndPrimaries_AreTheMembersOwn()
    {
        ClusterStanding standing = Standing(
            new ShardAssignment(A, 1, [new ShardCopy(B, 1, true)]),
            new ShardAssignment(A, 1, [new ShardCopy(B, 1, false)]),
            new ShardAssignment(B, 1, [new ShardCopy(A, 1, true)]));

        Assert.Equal((new Holding(2, 1, 1), new Holding(1, 2, 1), default), (standing.Of(A), standing.Of(B), standing.Of(Gone)));
        Assert.Equal((0, 1, 1), (standing.Unowned, standing.WithoutInSyncCopy, standing.Moving));
    }

    [Fact]
    public void Count_PrimaryThatIsNobodyOrAnotherRun_IsNoOwner()
    {
        ClusterStanding standing = Standing(new ShardAssignment(default, 0, []), new ShardAssignment(Gone, 1, [new ShardCopy(A, 1, true)]));

        Assert.Equal((2, 1, 0), (standing.Unowned, standing.WithoutInSyncCopy, standing.Moving));
    }

    [Fact]
    public void Count_CopyOnANodeThatIsNotAlive_DoesNotCount()
    {
        ClusterStanding standing = Standing(new ShardAssignment(A, 1, [new ShardCopy(Gone, 1, true)]));

        Assert.Equal(1, standing.WithoutInSyncCopy);
    }

    [Fact]
    public void Count_StaleCopy_IsACopyThatIsNotInSyncNorFilled()
    {
        ClusterStanding standing = Standing(new ShardAssignment(A, 1, [new ShardCopy(B, 1, false, IsStale: true)]));

        Assert.Equal(new Holding(0, 1, 0), standing.Of(B));
        Assert.Equal((0, 1, 0), (standing.Unowned, standing.WithoutInSyncCopy, standing.Moving));
    }

    [Fact]
    public void Count_PrimaryThatLeaves_Moves()
    {
        ShardAllocation allocation = new(1, [new ShardAssignment(A, 1, [new ShardCopy(B, 1, true)])]);
        ClusterStanding standing = new(new ClusterSnapshot(A, [new Member(A, "", Leaving: true), new Member(B, "")], allocation, A));

        Assert.Equal((0, 0, 1), (standing.Unowned, standing.WithoutInSyncCopy, standing.Moving));
    }

    private static ClusterStanding Standing(params ShardAssignment[] shards) =>
        new(new ClusterSnapshot(A, [new Member(A, ""), new Member(B, "")], new ShardAllocation(1, shards), A));
}
