using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Tests.Shards;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>A primary that a planned move makes a copy in sync: it goes on with what it has. A is the first primary, B and C are in sync.</summary>
public sealed class DemotionTests
{
    [Fact]
    public void Apply_LastPrimaryIsACopyInSync_KeepsItsLogAndDecisions()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "decided").Error());
        net.Pass(5100);
        net.A.Send(new TraceBuilder().Span(2, 1, name: "pending").Error());
        net.Pass(100);
        Swap(net, net.A, net.B);

        ulong token = net.B.Send(new TraceBuilder().Span(2, 2, parent: 1, name: "later"));
        net.Pass(30);
        Assert.Equal(Refusal.None, net.B.Answer(token));
        Assert.True(net.A.Copy.IsComplete);
        Assert.Equal(net.B.Core.Log.LastIndex, net.A.Copy.Log.LastIndex);
        Assert.NotEqual(0, net.A.Copy.Decisions.Find(TraceBuilder.TraceId(1)));

        // The target dies, and nobody else has anything.
        net.Kill(net.B);
        net.Allocate(net.A);
        net.Pass(5100);
        Assert.Equal(["later", "pending"], net.A.Kept().Names().Order().Where(name => name != "decided"));
    }

    [Fact]
    public void Apply_LastPrimaryHasMoreThanTheNext_TakesItBack()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = message => message.From == net.A.Id ? 0 : 1;
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(30);
        Assert.Null(net.A.Answer(token));
        net.Arrivals = _ => 1;
        Swap(net, net.A, net.B);
        net.Pass(30);

        Assert.Equal(Refusal.NotOwner, net.A.Answer(token));
        Assert.Equal(0UL, net.A.Copy.Log.LastIndex);
        Assert.Equal(0, net.A.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Apply_BeginCameBeforeTheAllocation_IsSentAgainAtOnce()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Allocate(net.B, [net.B, net.C], fromNothing: false, Copies(net, net.A, net.B));
        net.Pass(20);
        ulong token = net.B.Send(new TraceBuilder().Span(1, 1));
        net.Pass(100);
        Assert.Null(net.B.Answer(token));

        net.Allocate(net.B, [net.A, net.B, net.C], fromNothing: false, Copies(net, net.A, net.B, since: net.Version));
        net.Pass(60);
        Assert.Equal(Refusal.None, net.B.Answer(token));
    }

    private static void Swap(HostNetwork net, HostNode from, HostNode to) => net.Allocate(to, Copies(net, from, to));

    /// <summary>All but the next primary are in sync; the last one's stay begins now.</summary>
    private static ShardCopy[] Copies(HostNetwork net, HostNode last, HostNode next, long since = 0) =>
    [
        new ShardCopy(last.Id, since == 0 ? net.Version + 1 : since, InSync: true),
        .. net.Allocated!.Replicas.Where(copy => copy.Member != next.Id && copy.Member != last.Id),
    ];
}
