using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Tests.Shards;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>
/// A copy that was the last in sync, or the primary, and becomes stale: the primary goes on without it, it keeps what it has. A is the first primary.
/// </summary>
public sealed class StaleCopyTests
{
    [Fact]
    public void Apply_CopyBecomesStale_ThePrimaryAnswersWithoutItAndSaysSo()
    {
        using HostNetwork net = InSync();
        net.Arrivals = message => message.To == net.B.Id ? 0 : 1;
        ulong waiting = net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        Assert.Null(net.A.Answer(waiting));
        Assert.NotEqual(0, net.A.OutstandingBytes);

        net.Allocate(net.A, net.B.Stale(2));
        Assert.Equal(Refusal.None, net.A.Answer(waiting));
        Assert.Equal(CopyState.Released, net.A.Report(net.B));
        Assert.Empty(net.A.Primary.Streams);

        // Until an allocation without it.
        net.Allocate(net.A);
        Assert.Empty(net.A.Host.Reports);
    }

    [Fact]
    public void Apply_CopyBecomesStaleBesideALearner_OnlyTheLearnerIsSentAnything()
    {
        using HostNetwork net = InSync();
        net.Allocate(net.A, net.B.Stale(2), net.C.Learner(4));
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1));
        Assert.All(net.UnderWay, message => Assert.NotEqual(net.B.Id, message.To));
        net.Pass(100);
        Assert.Equal(Refusal.None, net.A.Answer(token));
        Assert.Equal((CopyState.Released, CopyState.CaughtUp), (net.A.Report(net.B), net.A.Report(net.C)));
        Assert.Equal(0, net.B.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Deliver_StaleCopy_IsNotEnoughInSync()
    {
        using HostNetwork net = InSync(minInSync: 2);
        net.Allocate(net.A, net.B.Stale(2));
        Assert.Equal(Refusal.NotEnoughInSync, net.A.Answer(net.A.Send(new TraceBuilder().Span(1, 1))));
    }

    [Fact]
    public void Apply_StaleCopyBecomesPrimary_HasEverythingItHad()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "decided").Error());
        net.Pass(5100);
        net.A.Send(new TraceBuilder().Span(2, 1, name: "pending").Error());
        net.Pass(100);
        net.Allocate(net.A, net.B.Stale(2));
        ulong index = net.B.Copy.Log.LastIndex;
        net.A.Send(new TraceBuilder().Span(3, 1, name: "alone").Error());
        net.Pass(1000);
        Assert.True(net.B.Copy.IsComplete);
        Assert.Equal(index, net.B.Copy.Log.LastIndex);

        net.Kill(net.A);
        net.Allocate(net.B);
        ulong token = net.B.Send(new TraceBuilder().Span(2, 2, parent: 1, name: "later"));
        Assert.Equal(Refusal.None, net.B.Answer(token));
        net.Pass(5100);
        Assert.Equal(["later", "pending"], net.B.Kept().Names().Order().Where(name => name != "decided"));
        Assert.NotEqual(0, net.B.Core.Remembered.Find(TraceBuilder.TraceId(1)));
    }

    [Fact]
    public void Apply_StaleCopyIsInNoAllocationAnyMore_GivesItsMemoryBack()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(100);
        net.Allocate(net.A, net.B.Stale(2));
        Assert.NotEqual(0, net.B.SlabBytes);
        net.Allocate(net.A);
        Assert.Null(net.B.Host.Copy(0));
        Assert.Equal(0, net.B.SlabBytes);
    }

    [Fact]
    public void Apply_AnotherStayInPlaceOfAStaleCopy_BeginsFromNothing()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(100);
        net.Allocate(net.A, net.B.Stale(2));
        net.A.Send(new TraceBuilder().Span(2, 1).Error());
        net.Allocate(net.A, net.B.Learner(5));
        Assert.False(net.B.Copy.IsComplete);
        net.Pass(100);
        Assert.Equal(CopyState.CaughtUp, net.A.Report(net.B));
        Assert.Equal(2, net.B.Copy.Log.LiveEntries);
    }

    /// <summary>A planned move made it a copy in sync, and the next primary took it off, before it heard of either.</summary>
    [Fact]
    public void Apply_LastPrimaryIsAStaleCopy_KeepsWhatItHas()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "pending").Error());
        net.Pass(100);
        net.Allocate(net.B, [net.B], fromNothing: false, net.A.InSync(4));
        net.Pass(100);
        net.Allocate(net.B, net.A.Stale(4));
        Assert.True(net.A.Copy.IsComplete);
        Assert.Equal(1, net.A.Copy.Log.LiveEntries);

        net.Kill(net.B);
        net.Allocate(net.A);
        net.Pass(5100);
        Assert.Equal(["pending"], net.A.Kept().Names());
    }

    [Fact]
    public void Apply_LostPrimaryIsAStaleCopy_IsSentNothingAndKeepsWhatItHas()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "pending").Error());
        net.Pass(100);
        net.Arrivals = message => message.To == net.B.Id ? 0 : 1;
        ulong waiting = net.A.Send(new TraceBuilder().Span(2, 1, name: "alone").Error());
        net.Pass(30);
        net.Arrivals = _ => 1;
        net.Allocate(net.B, net.A.Stale(4), net.C.Learner(4));
        Assert.Equal(Refusal.NotOwner, net.A.Answer(waiting));
        Assert.All(net.UnderWay, message => Assert.False(message.From == net.B.Id && message.To == net.A.Id));
        net.Pass(1000);
        Assert.Equal((CopyState.Released, CopyState.CaughtUp), (net.B.Report(net.A), net.B.Report(net.C)));
        Assert.True(net.A.Copy.IsComplete);
        Assert.Equal(2, net.A.Copy.Log.LiveEntries);

        // Both are lost, and A is there again: also with what it had not acknowledged, as if the client had sent it now.
        net.Kill(net.B);
        net.Kill(net.C);
        net.Allocate(net.A);
        net.Pass(5100);
        Assert.Equal(["alone", "pending"], net.A.Kept().Names().Order());
    }

    /// <summary>What it decided and nobody had heard of takes effect only if the primary after it, which decides anew, is lost before anybody is filled.</summary>
    [Fact]
    public void Apply_LostPrimaryDecidedWhatWasNotCommitted_ItTakesEffectWhenItIsPromotedBack()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "pending").Error());
        net.Pass(100);
        net.Arrivals = message => message.To == net.B.Id ? 0 : 1;
        net.Pass(5100);
        Assert.Equal(1, net.A.Core.WaitingEffects);
        net.Arrivals = _ => 1;
        net.Allocate(net.B, net.A.Stale(4));
        net.Pass(100);
        Assert.Empty(net.A.Kept().Names());
        Assert.Equal(["pending"], net.B.Kept().Names());

        net.Kill(net.B);
        net.Allocate(net.A);
        net.Pass(100);
        Assert.Equal(["pending"], net.A.Kept().Names());
    }

    [Fact]
    public void Apply_LostPrimaryIsPromotedBackBeforeItReadThatItWasLost_GoesOnWithWhatItHas()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "pending").Error());
        net.Pass(100);
        net.Allocate(net.B, [net.B], fromNothing: false, net.A.Stale(4));
        net.Kill(net.B);
        net.Allocate(net.A);
        Assert.Equal(3u, net.A.Core.Term);
        net.Pass(5100);
        Assert.Equal(["pending"], net.A.Kept().Names());
    }

    [Fact]
    public void Apply_PrimaryOfAnEarlierTermBeginsFromNothing_HasNothing()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(100);
        net.Allocate(net.B, [net.B], fromNothing: false);
        net.Allocate(net.A, [net.A], fromNothing: true);
        Assert.Equal(0, net.A.Core.PendingTraces);
        net.Pass(5100);
        Assert.Empty(net.A.Kept().Names());
    }

    /// <summary>B takes over for A and loses its lease before it hears of it; C takes over for B.</summary>
    [Fact]
    public void Apply_LostPrimaryNeverReadThatItWasOne_KeepsWhatItsCopyHas()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        ShardCopy copy = net.Allocated!.Replicas.Single(replica => replica.Member == net.C.Id);
        net.A.Send(new TraceBuilder().Span(1, 1, name: "pending").Error());
        net.Pass(100);
        net.Kill(net.A);
        net.Allocate(net.B, [net.C], fromNothing: false, copy);
        net.Allocate(net.C, net.B.Stale(net.Version + 1));
        Assert.Equal((true, net.Version), (net.B.Copy.IsComplete, net.B.Copy.Since));
        net.Pass(100);

        net.Kill(net.C);
        net.Allocate(net.B);
        net.Pass(5100);
        Assert.Equal(["pending"], net.B.Kept().Names());
    }

    /// <summary>A is the primary, B the only copy in sync.</summary>
    private static HostNetwork InSync(int minInSync = 1)
    {
        HostNetwork net = new(HostNetwork.Options with { MinInSync = minInSync });
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2));
        net.Pass(100);
        net.Allocate(net.A, net.B.InSync(2));
        return net;
    }
}
