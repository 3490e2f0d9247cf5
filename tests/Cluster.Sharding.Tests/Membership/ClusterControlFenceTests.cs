namespace Cluster.Sharding.Tests.Membership;

/// <summary>Goal: whoever runs a node is told when it has fenced itself, and of nothing else.</summary>
public sealed class ClusterControlFenceTests
{
    private readonly ControlCluster _cluster = new();

    [Fact]
    public void Fenced_WhileTheStoreIsAwayForAMoment_IsSaidOnceAndWhenItIsOver()
    {
        ControlNode a = Joined("a");
        a.FailsAfter = 100;
        long end = FencedByACut(a);
        _cluster.Run(0.5);
        Assert.Single(a.Fences);

        // The same lease, renewed at the last moment.
        a.IsCutOff = false;
        _cluster.RunUntil(() => a.Core.Authority > _cluster.Now, 2);
        Assert.DoesNotContain(0, a.Authorities);
        Assert.Equal([(_cluster.Now, _cluster.Now - end)], a.Fences[1..]);
        _cluster.Run(30);
        Assert.Equal(2, a.Fences.Count);
    }

    [Fact]
    public void Fenced_UntilTheLeaseHasEnded_IsSaidOnceAndWhenThereIsAnother()
    {
        ControlNode a = Joined("a");
        ControlNode b = Joined("b");
        long end = FencedByACut(a);
        _cluster.RunUntil(() => _cluster.PrimariesOf(b) == 8);
        a.IsCutOff = false;
        _cluster.RunUntil(() => a.Core.Authority > _cluster.Now);
        Assert.Contains(0, a.Authorities);
        Assert.Equal([(_cluster.Now, _cluster.Now - end)], a.Fences[1..]);
        Assert.Empty(b.Fences);
    }

    [Fact]
    public void Fenced_AgainAndAgain_IsSaidEachTime()
    {
        ControlNode a = Joined("a");
        for (int i = 0; i < 3; i++)
        {
            a.Fences.Clear();
            FencedByACut(a);
            a.IsCutOff = false;
            _cluster.RunUntil(() => a.Fences.Count == 2);
            Assert.True(a.Core.Authority > _cluster.Now);
        }
    }

    [Fact]
    public void Fenced_ByAPause_IsSaidAfterwardsWithAllOfIt()
    {
        ControlNode a = Joined("a");
        long end = a.Core.Authority;
        a.IsPaused = true;
        _cluster.Run(30);
        Assert.Empty(a.Fences);
        a.IsPaused = false;
        _cluster.Run(0.01);
        Assert.Equal([(_cluster.Now, null)], a.Fences);
        _cluster.RunUntil(() => a.Core.Authority > _cluster.Now, 3);
        Assert.Equal([(_cluster.Now, _cluster.Now - end)], a.Fences[1..]);
    }

    [Fact]
    public void Fenced_ByARecordThatSomebodyDeletes_CountsFromThen()
    {
        ControlNode a = Joined("a");
        _cluster.Store.Commit(new([], [], ["members/a"]));
        _cluster.RunUntil(() => a.Core.Authority == 0, 1);
        long lost = _cluster.Now;
        Assert.Equal([(lost, null)], a.Fences);
        _cluster.RunUntil(() => a.Core.Authority > _cluster.Now, 1);
        Assert.Equal([(_cluster.Now, _cluster.Now - lost)], a.Fences[1..]);
    }

    [Fact]
    public void Fenced_WhileItDrains_IsSaid()
    {
        ControlNode a = Joined("a");
        a.Core.Drain(_cluster.Now);
        FencedByACut(a);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Leave_WithTheStoreOrWithout_SaysNothing(bool isCutOff)
    {
        ControlNode a = Joined("a");
        a.IsCutOff = isCutOff;
        a.Core.Leave(_cluster.Now);
        Assert.Equal(0, a.Core.Authority);
        _cluster.Run(10);
        Assert.True(a.Core.HasLeft);
        Assert.Empty(a.Fences);
    }

    [Fact]
    public void Leave_OfAFencedNode_SaysNothingMore()
    {
        ControlNode a = Joined("a");
        FencedByACut(a);
        a.Core.Leave(_cluster.Now);
        a.IsCutOff = false;
        _cluster.Run(10);
        Assert.Single(a.Fences);
    }

    [Fact]
    public void Start_WithoutAStore_SaysNothing()
    {
        ControlNode a = _cluster.Start("a");
        a.IsCutOff = true;
        _cluster.Run(30);
        a.IsCutOff = false;
        _cluster.RunUntil(() => a.Core.Authority > _cluster.Now);
        Assert.Empty(a.Fences);
    }

    private ControlNode Joined(string name)
    {
        ControlNode node = _cluster.Start(name);
        _cluster.RunUntil(() => node.Core.Authority > _cluster.Now);
        _cluster.Run(2);
        Assert.Empty(node.Fences);
        return node;
    }

    /// <summary>Cuts a node off until its authority has ended, which it says within a tick.</summary>
    /// <returns>When it ended.</returns>
    private long FencedByACut(ControlNode node)
    {
        // What is on its way still arrives.
        node.IsCutOff = true;
        _cluster.Run(0.1);
        long end = node.Core.Authority;
        _cluster.RunUntil(() => _cluster.Now >= end - 10);
        Assert.Empty(node.Fences);
        _cluster.RunUntil(() => node.Fences.Count > 0, 1);
        Assert.Equal([(_cluster.Now, null)], node.Fences);
        Assert.InRange(_cluster.Now - end, 0, 100);
        return end;
    }
}
