using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Region;

namespace Cluster.Sharding.Tests.Region;

public sealed class OwnershipChangesTests
{
    private static readonly MemberId Self = new("a", 1);
    private static readonly MemberId Other = new("b", 2);
    private static readonly MemberId Third = new("c", 3);

    [Fact]
    public void Between_FirstSnapshot_CountsNothing()
    {
        ClusterSnapshot nothing = new(Self, [], ShardAllocation.Unowned(3), default);

        Assert.Equal(default, OwnershipChanges.Between(nothing, Snapshot([Self, Other], Of(Self), Of(Other), Of(Third))));
        Assert.Equal(default, OwnershipChanges.Between(nothing with { Allocation = new ShardAllocation(0, []) }, Snapshot([Self], Of(Self))));
    }

    [Fact]
    public void Between_PrimaryLostAndCopyHereTookOver_IsAPromotion() =>
        Assert.Equal(
            new OwnershipChanges(Promotions: 2, Moves: 0),
            OwnershipChanges.Between(
                Snapshot([Self, Other, Third], Of(Other, Self), Of(Other, Self, Third), Of(Other, Third), Of(Third, Self), Of(Self)),
                Snapshot([Self, Third], Of(Self), Of(Self, Third), Of(Third), Of(Third, Self), Of(Self))));

    [Fact]
    public void Between_LearnerThatWasInSyncMeanwhile_IsAPromotion()
    {
        ShardAssignment before = new(Other, 1, [new ShardCopy(Self, 1, InSync: false)]);

        Assert.Equal(new OwnershipChanges(1, 0), OwnershipChanges.Between(Snapshot([Self, Other], before), Snapshot([Self], Of(Self))));
    }

    [Fact]
    public void Between_EveryCopyLost_TheEmptyShardIsNoPromotion()
    {
        ShardAssignment empty = new(Self, 2, [], FromNothing: true);

        Assert.Equal(default, OwnershipChanges.Between(Snapshot([Self, Other], Of(Other)), Snapshot([Self], empty)));
    }

    [Fact]
    public void Between_LastPrimaryAlive_IsAMoveOfBoth()
    {
        ClusterSnapshot before = Snapshot([Self, Other, Third], Of(Other, Self), Of(Self, Other), Of(Other, Third), Of(Third));
        ClusterSnapshot after = Snapshot([Self, Other, Third], Of(Self, Other), Of(Other, Self), Of(Third, Other), Of(Third));

        Assert.Equal(new OwnershipChanges(0, 2), OwnershipChanges.Between(before, after));
        Assert.Equal(new OwnershipChanges(0, 3), OwnershipChanges.Between(before with { Self = Other }, after with { Self = Other }));
        Assert.Equal(new OwnershipChanges(0, 1), OwnershipChanges.Between(before with { Self = Third }, after with { Self = Third }));
    }

    [Fact]
    public void Between_ThisNodeWasTakenForLost_CountsNothing() =>
        Assert.Equal(default, OwnershipChanges.Between(Snapshot([Self, Other], Of(Self, Other)), Snapshot([Other], Of(Other))));

    [Fact]
    public void Between_LastRunOfThisNode_IsAnotherMember()
    {
        MemberId last = new(Self.Node, 9);

        Assert.Equal(new OwnershipChanges(1, 0), OwnershipChanges.Between(Snapshot([last, Self], Of(last, Self)), Snapshot([Self], Of(Self))));
    }

    [Fact]
    public void Between_OnlyMembersOrCopiesChange_CountsNothing() =>
        Assert.Equal(
            default,
            OwnershipChanges.Between(
                Snapshot([Self, Other, Third], Of(Self, Other), Of(Other, Self)),
                Snapshot([Self], Of(Self), Of(Other, Self, Third))));

    private static ClusterSnapshot Snapshot(MemberId[] alive, params ShardAssignment[] shards) =>
        new(Self, [.. alive.Select(id => new Member(id, "127.0.0.1:1"))], new ShardAllocation(1, shards), alive[0]);

    private static ShardAssignment Of(MemberId primary, params MemberId[] inSync) =>
        new(primary, 1, [.. inSync.Select(member => new ShardCopy(member, 1, InSync: true))]);
}
