using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Shards;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>What is counted of the streams between primaries and copies. A is the primary, B and C are in sync.</summary>
public sealed class ReplicationCountingTests
{
    [Fact]
    public void Deliver_Frames_AreCountedOnceForEachCopyWithTheirBytes()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        (long framesOut, long bytesOut, long bytesIn) = (Of(net.A).ReplicatedFramesOut, Of(net.A).ReplicatedBytesOut, Of(net.B).ReplicatedBytesIn);
        Assert.Equal(0, framesOut);
        byte[] first = net.Frame(new TraceBuilder().Span(1, 1));
        byte[] second = net.Frame(new TraceBuilder().Span(2, 1, name: "longer than the first"));

        net.A.Send(first);
        net.A.Send(second);
        net.Settle();

        int bytes = first.Length + second.Length;
        Assert.Equal((4, 2 * bytes), (Of(net.A).ReplicatedFramesOut, Of(net.A).ReplicatedBytesOut - bytesOut));
        Assert.Equal((2, bytes), (Of(net.B).ReplicatedFramesIn, Of(net.B).ReplicatedBytesIn - bytesIn));
        Assert.Equal((2, bytes), (Of(net.C).ReplicatedFramesIn, Of(net.C).ReplicatedBytesIn - bytesIn));
        Assert.Equal((0, 0), (Of(net.A).ReplicatedFramesIn, Of(net.A).ReplicatedBytesIn));
        Assert.Equal((0, 0), (Of(net.B).ReplicatedFramesOut, Of(net.B).ReplicatedBytesOut));
    }

    [Fact]
    public void Advance_VerdictsAndTrims_CountAsBytesAndNotAsFrames()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1).Error());
        net.A.Send(frame);
        net.Pass(6000);
        net.A.Kept();
        net.A.Confirm();
        net.Pass(200);

        Assert.Equal(2, Of(net.A).ReplicatedFramesOut);
        Assert.Equal(1, Of(net.B).ReplicatedFramesIn);
        Assert.True(Of(net.B).ReplicatedBytesIn > frame.Length);
        Assert.Equal(Of(net.A).ReplicatedBytesOut, Of(net.B).ReplicatedBytesIn + Of(net.C).ReplicatedBytesIn);
    }

    [Fact]
    public void Deliver_SentAgainAndTwice_IsTakenOnce()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = m => m.To == net.B.Id ? 0 : 1;
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1));
        long bytesOut = Of(net.A).ReplicatedBytesOut;
        long bytesIn = Of(net.B).ReplicatedBytesIn;
        net.A.Send(frame);
        net.Settle();
        net.Arrivals = _ => 2;
        net.A.Host.ConnectionChanged(net.B.Id, true, net.Now);
        net.Settle();

        Assert.Equal((3, 3 * frame.Length), (Of(net.A).ReplicatedFramesOut, Of(net.A).ReplicatedBytesOut - bytesOut));
        Assert.Equal((1, frame.Length), (Of(net.B).ReplicatedFramesIn, Of(net.B).ReplicatedBytesIn - bytesIn));
    }

    [Fact]
    public void Receive_DamagedFrame_IsNotCounted()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = m =>
        {
            if (m.To == net.B.Id && m.Item == ReplicationItemKind.Frame)
            {
                // The frame's own length is not that of what came.
                m.Payload[ReplicationItemHeader.Size + 4]++;
            }

            return 1;
        };
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();

        Assert.Equal(0, Of(net.B).ReplicatedFramesIn);
        Assert.Equal(1, Of(net.C).ReplicatedFramesIn);
    }

    [Fact]
    public void Deliver_CopyThatDoesNotAnswer_ItsBytesAreUnacknowledgedUntilItDoes()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        Assert.Equal(0, Of(net.A).UnacknowledgedBytes);
        net.Arrivals = m => m.To == net.B.Id ? 0 : 1;
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1));
        net.A.Send(frame);
        Assert.Equal(2 * frame.Length, Of(net.A).UnacknowledgedBytes);
        net.Settle();
        Assert.Equal(frame.Length, Of(net.A).UnacknowledgedBytes);

        net.Arrivals = _ => 1;
        net.Pass(510);
        Assert.Equal(0, Of(net.A).UnacknowledgedBytes);
    }

    [Fact]
    public void Apply_CopyTakenOff_ItsBytesAreNotWaitedFor()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = m => m.From == net.A.Id ? 0 : 1;
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1));
        net.A.Send(frame);
        net.Settle();
        Assert.Equal(2 * frame.Length, Of(net.A).UnacknowledgedBytes);

        net.Allocate(net.A, net.C.InSync(2));
        Assert.Equal(frame.Length, Of(net.A).UnacknowledgedBytes);
        net.Allocate(net.A);
        Assert.Equal(0, Of(net.A).UnacknowledgedBytes);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Apply_PrimaryOver_NothingIsWaitedFor(bool staysAsCopy)
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = m => m.From == net.A.Id ? 0 : 1;
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        Assert.NotEqual(0, Of(net.A).UnacknowledgedBytes);

        net.Allocate(net.B, staysAsCopy ? [net.C.InSync(2), net.A.InSync(net.Version + 1)] : [net.C.InSync(2)]);

        Assert.Equal(staysAsCopy, net.A.Host.Copy(0) is not null);
        Assert.Equal(0, Of(net.A).UnacknowledgedBytes);
    }

    [Fact]
    public void Advance_CopyThatDoesNotAnswer_IsASuspectOnceUntilItHasAnswered()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = m => m.From == net.B.Id ? 0 : 1;
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Pass(1980);
        Assert.Equal(0, Of(net.A).Suspects);
        net.Pass(2000);
        Assert.Equal(CopyState.Suspect, net.A.Report(net.B));
        Assert.Equal(1, Of(net.A).Suspects);

        net.Arrivals = _ => 1;
        net.Pass(510);
        Assert.Null(net.A.Report(net.B));
        net.Arrivals = m => m.To == net.A.Id ? 0 : 1;
        net.A.Send(new TraceBuilder().Span(2, 1));
        net.Pass(2020);
        Assert.Equal(3, Of(net.A).Suspects);
        Assert.Equal(0, Of(net.B).Suspects);
    }

    private static WorkerStatistics Of(HostNode node) => node.Services.Statistics;
}
