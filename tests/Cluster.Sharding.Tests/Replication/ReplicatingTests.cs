using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>Frames and verdicts on their way to copies: what is acknowledged when, what a copy holds, what is freed.</summary>
public sealed class ReplicatingTests
{
    [Fact]
    public void Deliver_NoCopies_IsAnsweredAtOnce()
    {
        using HostNetwork net = new();
        net.Allocate(net.A);

        ulong token = net.A.Send(new TraceBuilder().Span(1, 1).Error());

        Assert.Equal(Refusal.None, net.A.Answer(token));
        net.Pass(5020);
        Assert.Equal(["operation"], net.A.Kept().Names());
    }

    [Fact]
    public void Deliver_TwoLearnersCaughtUp_IsAnsweredWhenBothHaveIt()
    {
        using HostNetwork net = InSync();
        net.Arrivals = m => m.To == net.C.Id ? 0 : 1;
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Settle();
        Assert.Null(net.A.Answer(token));
        Assert.Equal(1, net.B.Copy.Log.LiveEntries);

        net.Arrivals = _ => 1;
        net.Pass(510);

        Assert.Equal(Refusal.None, net.A.Answer(token));
        AssertSameLogs(net);
    }

    [Fact]
    public void EndTurn_ManyFramesAndItems_AreAnsweredTogether()
    {
        using HostNetwork net = InSync();
        net.A.HasLongTurns = net.B.HasLongTurns = net.C.HasLongTurns = true;
        ulong[] tokens = [.. Enumerable.Range(1, 5).Select(i => net.A.Send(new TraceBuilder().Span((ulong)i, (ulong)i)))];
        Assert.Empty(net.UnderWay);

        net.A.Host.EndTurn(net.Now);
        Assert.Equal(10, net.UnderWay.Count(m => m.Item == ReplicationItemKind.Frame));
        net.Settle();
        Assert.Empty(net.UnderWay);

        net.B.Host.EndTurn(net.Now);
        net.C.Host.EndTurn(net.Now);
        Assert.Equal([net.B.Id, net.C.Id], net.UnderWay.Select(m => m.From));
        net.Settle();
        Assert.All(tokens, token => Assert.Null(net.A.Answer(token)));

        net.A.Host.EndTurn(net.Now);
        Assert.All(tokens, token => Assert.Equal(Refusal.None, net.A.Answer(token)));
        AssertSameLogs(net);
    }

    [Fact]
    public void EndTurn_TheTermEndedWithinTheTurn_NothingIsSentAndWhoWaitsIsToldSo()
    {
        using HostNetwork net = InSync();
        net.A.HasLongTurns = true;
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1));
        net.Allocate(net.B, net.C.InSync(2));
        Assert.Equal(Refusal.NotOwner, net.A.Answer(token));
        net.Settle();

        net.A.Host.EndTurn(net.Now);

        Assert.Empty(net.UnderWay);
        Assert.Equal(0, net.C.Copy.Log.LiveEntries);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Deliver_MessagesLostDoubledAndOutOfOrder_EverythingIsAnsweredAndTheLogsAreTheSame(int seed)
    {
        using HostNetwork net = InSync();
        Random random = new(seed);
        net.Disorder = random;
        net.Arrivals = _ => random.Next(5) switch { 0 => 0, 1 => 2, _ => 1 };
        List<ulong> tokens = [];
        for (ulong i = 1; i <= 200; i++)
        {
            TraceBuilder request = new TraceBuilder().Span(i, i);
            tokens.Add(net.A.Send(i % 2 == 0 ? request.Error() : request));
            net.Pass(20);
        }

        net.Disorder = null;
        net.Arrivals = _ => 1;
        net.Pass(1000);

        Assert.All(tokens, token => Assert.Equal(Refusal.None, net.A.Answer(token)));
        AssertSameLogs(net);
        net.Pass(6000);
        Assert.Equal(100, net.A.Kept().Spans().Count);
        Assert.Empty(net.B.Queue.Queued);
    }

    [Fact]
    public void Advance_EverythingDecidedAndExported_NothingIsHeldAnywhere()
    {
        using HostNetwork net = InSync();
        for (ulong i = 1; i <= 50; i++)
        {
            net.A.Send(new TraceBuilder().Span(i, i).Error().Span(1000 + i, i));
            net.Pass(10);
        }

        net.Pass(6000);
        Assert.Equal(50, net.A.Kept().Spans().Count);
        Assert.NotEqual(0, net.A.Core.Log.LiveEntries);
        Assert.NotEqual(0, net.B.Copy.Log.LiveEntries);

        net.A.Confirm();
        net.Pass(200);

        Assert.All(net.Nodes, node => Assert.Equal(0, node.SlabBytes));
        Assert.Equal(0, net.A.Core.Log.LiveEntries);
        Assert.Equal(100, net.B.Copy.Decisions.Count);
        Assert.Equal(0, net.C.Services.Statistics.CopiedEntries);
        for (ulong i = 1; i <= 50; i++)
        {
            Assert.True(net.C.Copy.Decisions[net.C.Copy.Decisions.Find(TraceBuilder.TraceId(i))].Exported);
        }
    }

    [Fact]
    public void Advance_LearnerAndFramesThatGoOn_IsFilledAndThenWaitedForBeforeItIsReported()
    {
        using HostNetwork net = new();
        net.Allocate(net.A);
        for (ulong i = 1; i <= 300; i++)
        {
            net.A.Send(new TraceBuilder().Span(i, i, name: new string('x', 2000)).Error());
            net.Pass(20);
        }

        net.A.Kept();
        net.A.Confirm();
        net.Allocate(net.A, net.B.Learner(2));
        ulong token = 0;
        for (ulong i = 301; net.A.Report(net.B) is null; i++)
        {
            token = net.A.Send(new TraceBuilder().Span(i, i));
            Assert.True(i < 400);
            net.Pass(10);
        }

        Assert.Equal(CopyState.CaughtUp, net.A.Report(net.B));
        Assert.True(net.B.Copy.IsComplete);
        Assert.Equal(net.A.Core.Remembered.Count, net.B.Copy.Decisions.Count);
        AssertSameLogs(net, net.B);
        Assert.Equal(Refusal.None, net.A.Answer(token));

        net.Arrivals = m => m.To == net.B.Id ? 0 : 1;
        token = net.A.Send(new TraceBuilder().Span(1001, 1));
        net.Pass(400);
        Assert.Null(net.A.Answer(token));
        net.Allocate(net.A, net.B.InSync(2));
        net.Pass(400);
        Assert.Null(net.A.Answer(token));
        net.Allocate(net.A);
        Assert.Equal(Refusal.None, net.A.Answer(token));
    }

    [Fact]
    public void Advance_LearnerCaughtUpLosesTheMessageThatSaysSo_IsNotReportedYet()
    {
        using HostNetwork net = new();
        net.Allocate(net.A);
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Arrivals = m => m is { Item: ReplicationItemKind.Trim } && m.To == net.B.Id && m.Payload[5] == 1 ? 0 : 1;
        net.Allocate(net.A, net.B.Learner(2));
        net.Pass(400);
        Assert.True(net.A.Primary.Streams[0].HasJoined);
        Assert.False(net.B.Copy.IsComplete);
        Assert.Null(net.A.Report(net.B));

        net.Arrivals = _ => 1;
        net.Pass(500);
        Assert.Equal(CopyState.CaughtUp, net.A.Report(net.B));
    }

    [Fact]
    public void Advance_CopyThatDoesNotAnswer_IsSuspectUntilItDoesAndIsNeverLeftOutBefore()
    {
        using HostNetwork net = InSync();
        net.Arrivals = m => m.From == net.B.Id ? 0 : 1;
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1));
        net.Pass(1980);
        Assert.Null(net.A.Report(net.B));
        net.Pass(40);
        Assert.Equal(CopyState.Suspect, net.A.Report(net.B));
        Assert.Null(net.A.Report(net.C));
        Assert.Null(net.A.Answer(token));

        net.Arrivals = _ => 1;
        net.Pass(510);
        Assert.Null(net.A.Report(net.B));
        Assert.Equal(Refusal.None, net.A.Answer(token));
    }

    [Fact]
    public void Advance_PrimaryItselfStoodStill_SuspectsNobody()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Now += 30_000;
        net.A.Host.Advance(net.Now);
        Assert.Null(net.A.Report(net.B));
        net.Settle();
        net.Pass(100);
        Assert.Null(net.A.Report(net.B));
    }

    [Fact]
    public void ConnectionChanged_FramesWereLost_AreSentAgainAtOnce()
    {
        using HostNetwork net = InSync();
        net.Arrivals = m => m.To == net.B.Id ? 0 : 1;
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        net.Arrivals = _ => 1;

        net.A.Host.ConnectionChanged(net.B.Id, false, net.Now);
        net.Settle();
        Assert.Null(net.A.Answer(token));
        net.A.Host.ConnectionChanged(net.B.Id, true, net.Now);
        net.Settle();

        Assert.Equal(Refusal.None, net.A.Answer(token));
    }

    [Fact]
    public void Deliver_TheSameFrameAgain_IsAnsweredWithTheFirstAndAppliedOnce()
    {
        using HostNetwork net = InSync();
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1).Error());
        ulong first = net.A.Send(frame);
        ulong second = net.A.Send(frame);
        Assert.Null(net.A.Answer(first));
        Assert.Null(net.A.Answer(second));
        net.Settle();
        ulong third = net.A.Send(frame);

        Assert.Equal(Refusal.None, net.A.Answer(first));
        Assert.Equal(Refusal.None, net.A.Answer(second));
        Assert.Equal(Refusal.None, net.A.Answer(third));
        Assert.Equal(2, net.A.Services.Statistics.RepeatedFrames);
        Assert.Equal(1UL, net.A.Core.Log.LastIndex);
    }

    [Fact]
    public void Deliver_WrongTermOrShard_IsNotOwner()
    {
        using HostNetwork net = InSync();
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1));
        frame[8]++;
        Assert.Equal(Refusal.NotOwner, net.A.Answer(net.A.Send(frame)));
        frame[8] -= 2;
        Assert.Equal(Refusal.NotOwner, net.A.Answer(net.A.Send(frame)));
        Assert.Equal(Refusal.NotOwner, net.A.Answer(net.A.Send(frame[..30])));
        Assert.Equal(Refusal.NotOwner, net.B.Answer(net.B.Send(net.Frame(new TraceBuilder().Span(1, 1)))));
        net.A.Host.Deliver(5, frame, 99, net.Now);
        Assert.Equal(Refusal.NotOwner, net.A.Answer(99));
    }

    [Fact]
    public void Deliver_FewerInSyncThanWanted_IsRefused_AndWhatWaitsIsNotAnswered()
    {
        using HostNetwork net = new(HostNetwork.Options with { MinInSync = 2 });
        net.Allocate(net.A);
        Assert.Equal(Refusal.NotEnoughInSync, net.A.Answer(net.A.Send(new TraceBuilder().Span(1, 1))));
        net.Allocate(net.A, net.B.Learner(2));
        net.Pass(100);
        net.Allocate(net.A, net.B.InSync(2));
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1));
        net.Allocate(net.A);
        net.Settle();
        Assert.Null(net.A.Answer(token));

        net.Allocate(net.A, net.C.Learner(5));
        net.Pass(100);
        Assert.Null(net.A.Answer(token));
        net.Allocate(net.A, net.C.InSync(5));
        Assert.Equal(Refusal.None, net.A.Answer(token));
    }

    [Fact]
    public void SetAuthority_Over_NothingIsAnsweredDecidedOrExportedUntilItIsBack()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Settle();
        ulong waiting = net.A.Send(new TraceBuilder().Span(2, 1).Error());
        net.A.Host.SetAuthority(net.Now, net.Now);
        net.Settle();
        Assert.Null(net.A.Answer(waiting));
        Assert.Equal(Refusal.LeaseEnded, net.A.Answer(net.A.Send(new TraceBuilder().Span(3, 1))));
        net.Pass(6000);
        Assert.Empty(net.A.Queue.Queued);
        Assert.Equal(2, net.A.Core.PendingTraces);

        net.A.Host.SetAuthority(net.Now + 1000, net.Now);
        Assert.Equal(Refusal.None, net.A.Answer(waiting));
        net.Pass(100);
        Assert.Equal(2, net.A.Kept().Spans().Count);
    }

    [Fact]
    public void SetAuthority_OverBetweenVerdictAndCommit_TheVerdictWaits()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(4990);
        net.Arrivals = _ => 0;
        net.Pass(30);
        Assert.Equal(1, net.A.Core.WaitingEffects);
        net.A.Host.SetAuthority(net.Now, net.Now);
        net.Arrivals = _ => 1;
        net.Pass(600);
        Assert.Equal(2UL, net.A.Primary.Committed);
        Assert.Empty(net.A.Queue.Queued);
        net.A.Host.SetAuthority(long.MaxValue, net.Now);
        net.Pass(10);
        Assert.Single(net.A.Kept().Spans());
    }

    [Fact]
    public void Advance_ExportersFull_AnswersGoOnAndExportsWait()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(4990);
        net.Arrivals = _ => 0;
        net.Pass(30);
        Assert.Equal(1, net.A.Core.WaitingEffects);
        net.A.Queue.HasRoom = false;
        net.Arrivals = _ => 1;
        net.Pass(600);
        ulong token = net.A.Send(new TraceBuilder().Span(2, 1).Error().Span(1, 2, name: "late"));
        net.Settle();

        Assert.Equal(Refusal.None, net.A.Answer(token));
        Assert.Equal(2, net.A.Core.WaitingEffects);
        Assert.Empty(net.A.Queue.Queued);
        net.A.Queue.HasRoom = true;
        net.Pass(10);
        Assert.Equal(["operation", "late"], net.A.Kept().Names());
    }

    [Fact]
    public void Advance_VerdictAppendedButNotCommitted_FurtherSpansAreLateOnes()
    {
        using HostNetwork net = InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(4990);
        net.Arrivals = _ => 0;
        net.Pass(30);
        ulong token = net.A.Send(new TraceBuilder().Span(1, 2, name: "late"));
        Assert.Equal(0, net.A.Core.PendingTraces);
        Assert.Equal(1, net.A.Services.Statistics.LateSpansSampled);
        Assert.Empty(net.A.Queue.Queued);
        Assert.Null(net.A.Answer(token));
        net.Arrivals = _ => 1;
        net.Pass(600);
        Assert.Equal(["operation", "late"], net.A.Kept().Names());
        Assert.Equal(Refusal.None, net.A.Answer(token));
    }

    [Fact]
    public void Deliver_TraceTooLarge_IsDecidedAtTheNextStepAndOnce()
    {
        using HostNetwork net = new(HostNetwork.Options with { MaximumTraceSizeBytes = 500 });
        net.Allocate(net.A);
        net.A.Send(new TraceBuilder().Span(1, 1, name: new string('x', 600)).Error());
        net.A.Send(new TraceBuilder().Span(1, 2).Error());
        net.Pass(30);
        Assert.Equal(0, net.A.Core.PendingTraces);
        Assert.Equal(1, net.A.Core.Decisions[0]);
        Assert.Equal(CompletionReason.TooLarge, net.A.Core.Remembered[net.A.Core.Remembered.Newest(false)].Reason);
    }

    [Fact]
    public void Deliver_CopyFarBehind_IsRefusedAsBusyAndTheWindowIsBounded()
    {
        using HostNetwork net = InSync();
        net.Arrivals = m => m.To == net.B.Id ? 0 : 1;
        ulong token = 0;
        for (ulong i = 1; i <= 200; i++)
        {
            token = net.A.Send(new TraceBuilder().Span(i, 1, name: new string('x', 100_000)));
        }

        Assert.Equal(Refusal.PeerBusy, net.A.Answer(token));
        Assert.All(net.A.Primary.Streams, s => Assert.InRange(s.OutstandingBytes, 1, (1 << 20) + 110_000));
        net.Arrivals = _ => 1;
        net.Pass(2000);
        token = net.A.Send(new TraceBuilder().Span(1000, 1));
        net.Settle();
        Assert.Equal(Refusal.None, net.A.Answer(token));
        AssertSameLogs(net);
    }

    /// <summary>A is the primary, B and C are copies in sync.</summary>
    internal static HostNetwork InSync(ShardRegionOptions? options = null)
    {
        HostNetwork net = new(options);
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2), net.C.Learner(2));
        net.Pass(100);
        Assert.Equal(CopyState.CaughtUp, net.A.Report(net.B));
        Assert.Equal(CopyState.CaughtUp, net.A.Report(net.C));
        net.Allocate(net.A, net.B.InSync(2), net.C.InSync(2));
        Assert.Empty(net.A.Host.Reports);
        return net;
    }

    private static void AssertSameLogs(HostNetwork net) => Assert.All(net.Nodes.Skip(1), node => AssertSameLogs(net, node));

    private static void AssertSameLogs(HostNetwork net, HostNode copy)
    {
        ShardLog own = net.A.Core.Log;
        for (ulong index = 1; index <= own.LastIndex; index++)
        {
            int entry = own.Find(index);
            int copied = copy.Copy.Log.Find(index);
            if (entry >= 0)
            {
                Assert.True(copied >= 0);
                Assert.True(own.Bytes(entry).SequenceEqual(copy.Copy.Log.Bytes(copied)));
                Assert.Equal(own.Place(entry).Kind, copy.Copy.Log.Place(copied).Kind);
            }
        }
    }
}
