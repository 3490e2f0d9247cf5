using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Tests.Shards;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>Copies that become primaries: after a death, and by plan. A is the first primary, B and C are in sync.</summary>
public sealed class PromotionTests
{
    [Fact]
    public void Apply_PrimaryDead_PendingTracesGoOnWithTheirDeadlines()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "first"));
        net.Pass(3000);
        net.A.Send(new TraceBuilder().Span(2, 1).Error());
        net.Pass(500);
        FailOver(net);
        Assert.Equal(2, net.B.Core.PendingTraces);
        ulong token = net.B.Send(new TraceBuilder().Span(1, 2, parent: 1, name: "second").Error());
        net.Pass(1450);
        Assert.Equal(2, net.B.Core.PendingTraces);

        // Messages take a step, and so does the hand-over to the exporters.
        net.Pass(80);

        Assert.Equal(Refusal.None, net.B.Answer(token));
        Assert.Equal(["first", "second"], net.B.Kept().Names());
        net.Pass(3000);
        Assert.Equal(["operation"], net.B.Kept().Names());
    }

    [Fact]
    public void Apply_DeadlinePassedMeanwhile_IsDecidedAtOnce()
    {
        using HostNetwork net = ReplicatingTests.InSync(HostNetwork.Options with { DecisionWaitAfterRootReceived = TimeSpan.FromSeconds(1) });
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(100);
        net.Kill(net.A);
        net.Pass(10_000);
        FailOver(net);
        net.Pass(30);
        Assert.Single(net.B.Kept().Spans());
        Assert.Equal(CompletionReason.RootReceived, net.B.Core.Remembered[net.B.Core.Remembered.Newest(true)].Reason);
    }

    [Fact]
    public void Apply_VerdictReplicatedButNotExported_IsNotMadeAgainAndTheTraceIsExported()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "kept").Error().Span(2, 1, name: "not kept"));
        net.Pass(4990);
        net.Arrivals = m => m.To == net.A.Id ? 0 : 1;
        net.Pass(30);
        Assert.Empty(net.A.Kept().Spans());

        net.Arrivals = _ => 1;
        FailOver(net);
        net.Pass(30);

        Assert.Equal(["kept"], net.B.Kept().Names());
        Assert.Equal(0, net.B.Core.Decisions.Sum());
        Assert.Equal(0, net.B.Core.PendingTraces);
        Assert.Equal(1, net.B.Services.Statistics.ExportedAgain);
        net.B.Confirm();
        net.Pass(200);
        Assert.Equal(0, net.B.Core.Log.LiveEntries);
        Assert.Equal(0, net.C.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Apply_ExportConfirmed_IsNotExportedAgain_UnconfirmedOnesAre()
    {
        using HostNetwork net = ReplicatingTests.InSync();

        // One frame for both, so that it stays for the pending one.
        net.A.Send(new TraceBuilder().Span(1, 1, name: "confirmed").Error());
        net.Pass(2000);
        net.A.Send(new TraceBuilder().Span(1, 2, parent: 1, name: "confirmed too").Span(2, 1, name: "unconfirmed").Error().Span(3, 1));
        net.Pass(3020);
        Assert.Equal(2, net.A.Kept().Spans().Count);
        net.A.Confirm();
        net.Pass(1980);
        net.A.Kept();
        net.Pass(300);

        FailOver(net);
        net.Pass(100);

        Assert.Equal(["unconfirmed"], net.B.Kept().Names());
        Assert.Equal(1, net.B.Services.Statistics.ExportedAgain);
    }

    [Fact]
    public void Apply_LateSpansBeforeAndAfter_FollowTheDecision()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1).Error().Span(2, 1));
        net.Pass(5020);
        net.A.Kept();
        net.A.Confirm();
        net.Pass(200);
        net.A.Send(new TraceBuilder().Span(1, 2, name: "late, unconfirmed").Span(2, 2));
        net.Pass(100);

        FailOver(net);
        net.B.Send(new TraceBuilder().Span(1, 3, name: "late at the new one").Span(2, 3));
        net.Pass(100);

        Assert.Equal(["late, unconfirmed", "late at the new one"], net.B.Kept().Names());
        Assert.Equal(0, net.B.Core.PendingTraces);
        Assert.Equal(Decision.NotSampled, net.B.Core.Remembered[net.B.Core.Remembered.Find(TraceBuilder.TraceId(2))].Decision);
    }

    [Fact]
    public void Apply_TheSameFrameAgainAtTheNewPrimary_IsAnsweredAndNotAppliedAgain()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1).Error());
        net.Arrivals = m => m.To == net.A.Id ? 0 : 1;
        ulong token = net.A.Send(frame);
        net.Settle();
        Assert.Null(net.A.Answer(token));
        net.Arrivals = _ => 1;
        FailOver(net);
        frame[8]++;
        token = net.B.Send(frame);
        net.Settle();
        Assert.Equal(Refusal.None, net.B.Answer(token));
        Assert.Equal(1, net.B.Services.Statistics.RepeatedFrames);
        net.Pass(5020);
        Assert.Single(net.B.Kept().Spans());
    }

    [Fact]
    public void Apply_CopyWithALongerTail_IsCutBackAndForgetsItsVerdicts()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1, name: "kept").Error());
        net.Pass(4990);
        net.Arrivals = m => m.To == net.B.Id || m.From == net.C.Id ? 0 : 1;
        net.Pass(30);
        net.A.Send(new TraceBuilder().Span(2, 1));
        net.Settle();
        Assert.Equal(3UL, net.C.Copy.Log.LastIndex);
        Assert.Equal(1, net.C.Copy.Decisions.Count);

        net.Arrivals = _ => 1;
        FailOver(net);
        Assert.Equal(1UL, net.C.Copy.Log.LastIndex);
        Assert.Equal(0, net.C.Copy.Decisions.Count);
        net.B.Send(new TraceBuilder().Span(3, 1));
        net.Pass(30);

        Assert.Equal(["kept"], net.B.Kept().Names());
        Assert.Equal(1, net.B.Core.Decisions.Sum());
        Assert.Equal(net.B.Core.Log.LastIndex, net.C.Copy.Log.LastIndex);
    }

    [Fact]
    public void Apply_ShorterTailAtTheCopy_IsFilledBeforeAnythingIsAcknowledged()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = m => m.To == net.B.Id ? 1 : 0;
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Settle();
        Assert.Equal(1UL, net.B.Copy.Log.LastIndex);
        Assert.Equal(0UL, net.C.Copy.Log.LastIndex);
        FailOver(net);
        ulong token = net.B.Send(new TraceBuilder().Span(2, 1));
        net.Pass(100);
        Assert.Null(net.B.Answer(token));
        Assert.Equal(0UL, net.B.Primary.Committed);
        net.Arrivals = _ => 1;
        net.Pass(500);
        Assert.Equal(Refusal.None, net.B.Answer(token));
        Assert.Equal(2UL, net.C.Copy.Log.LastIndex);
    }

    [Fact]
    public void Apply_TwoFailOversAndACopyThatMissedOne_LogsDoNotDiffer()
    {
        using HostNetwork net = new(nodes: 4);
        HostNode d = net.Nodes[3];
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2), net.C.Learner(2), d.Learner(2));
        net.Pass(100);
        ShardCopy[] all = [net.B.InSync(2), net.C.InSync(2), d.InSync(2)];
        net.Allocate(net.A, all);

        // Only C has the first frame of A.
        net.Arrivals = m => m.To == net.C.Id ? 1 : 0;
        net.A.Send(new TraceBuilder().Span(1, 1, name: "of the first term"));
        net.Settle();
        net.Kill(net.A);

        // B is primary; C hears nothing of it; B must not give D what C may have otherwise under the same index.
        net.Arrivals = m => m.To == net.C.Id ? 0 : 1;
        net.Allocate(net.B, [net.B, d], fromNothing: false, net.C.InSync(2), d.InSync(2));
        ulong token = net.B.Send(new TraceBuilder().Span(2, 1, name: "of the second term"));
        net.Pass(1000);
        Assert.Null(net.B.Answer(token));
        net.Kill(net.B);

        net.Arrivals = _ => 1;
        net.Allocate(d, net.C.InSync(2));
        net.Settle();
        token = d.Send(new TraceBuilder().Span(3, 1, name: "of the third term"));
        net.Settle();
        Assert.Equal(Refusal.None, d.Answer(token));
        Assert.Equal(d.Core.Log.LastIndex, net.C.Copy.Log.LastIndex);
        Assert.True(d.Core.Log.Bytes(d.Core.Log.Find(1)).SequenceEqual(net.C.Copy.Log.Bytes(net.C.Copy.Log.Find(1))));
    }

    [Fact]
    public void Apply_NewPrimaryAndCopyThatMissedTrims_TheCopyIsToldOfThem()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        for (ulong i = 1; i <= 20; i++)
        {
            net.A.Send(new TraceBuilder().Span(i, 1).Error());
        }

        net.Pass(5020);
        net.A.Kept();
        net.Arrivals = m => m.To == net.C.Id && m.Item == ReplicationItemKind.Trim ? 0 : 1;
        net.A.Confirm();
        net.Pass(200);
        Assert.Equal(0, net.B.Copy.Log.LiveEntries);
        Assert.Equal(21, net.C.Copy.Log.LiveEntries);

        net.Arrivals = _ => 1;
        FailOver(net);
        net.Settle();

        Assert.Equal(0, net.C.Copy.Log.LiveEntries);
        Assert.All(
            Enumerable.Range(1, 20),
            i => Assert.True(net.C.Copy.Decisions[net.C.Copy.Decisions.Find(TraceBuilder.TraceId((ulong)i))].Exported));
        Assert.Empty(net.B.Kept().Spans());
    }

    [Fact]
    public void Apply_PlannedMoveWithThreeCopies_NothingIsLostOrDoneTwice()
    {
        using HostNetwork net = new(nodes: 4);
        HostNode d = net.Nodes[3];
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2));
        net.Pass(50);
        net.Allocate(net.A, net.B.InSync(2));
        net.A.Send(new TraceBuilder().Span(1, 1, name: "a").Error());
        net.Pass(1000);

        net.Allocate(net.A, net.B.InSync(2), net.C.Learner(4), d.Learner(4));
        net.Pass(50);
        net.Allocate(net.A, net.B.InSync(2), net.C.InSync(4), d.InSync(4));
        net.Arrivals = _ => 0;
        ulong unanswered = net.A.Send(new TraceBuilder().Span(1, 2, parent: 1, name: "b"));
        net.Settle();
        net.Arrivals = _ => 1;

        net.Allocate(net.C, net.B.InSync(2), d.InSync(4));
        Assert.Equal(Refusal.NotOwner, net.A.Answer(unanswered));
        Assert.Null(net.A.Host.Primary(0));
        Assert.Equal(0, net.A.SlabBytes);
        ulong token = net.C.Send(new TraceBuilder().Span(1, 2, parent: 1, name: "b"));
        net.Settle();
        Assert.Equal(Refusal.None, net.C.Answer(token));
        net.Allocate(net.C, d.InSync(4));
        Assert.Null(net.B.Host.Copy(0));

        net.Pass(4050);
        Assert.Equal(["a", "b"], net.C.Kept().Names());
        Assert.Empty(net.A.Queue.Queued);
    }

    [Fact]
    public void Apply_CopyThatIsNotComplete_BeginsEmpty()
    {
        using HostNetwork net = new();
        net.Allocate(net.A);
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Arrivals = m => m.Kind == PeerMessageKind.Replicated && m.Number > 1 ? 0 : 1;
        net.Allocate(net.A, net.B.Learner(2));
        net.Settle();
        Assert.Equal(1, net.B.Copy.Log.LiveEntries);
        Assert.False(net.B.Copy.IsComplete);
        net.Kill(net.A);
        net.Allocate(net.B);
        Assert.Equal(0UL, net.B.Core.Log.LastIndex);
        Assert.Equal(0, net.B.Core.PendingTraces);
    }

    [Fact]
    public void Apply_CopyFilledAfterTheLastEntriesHadEnded_GoesOnWithTheSameIndices()
    {
        using HostNetwork net = new();
        net.Allocate(net.A);
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(5030);
        net.A.Kept();
        net.A.Confirm();
        Assert.Equal((0, 2UL), (net.A.Core.Log.LiveEntries, net.A.Core.Log.LastIndex));
        net.Allocate(net.A, net.B.Learner(2), net.C.Learner(2));
        net.Pass(50);
        Assert.Equal(2UL, net.A.Primary.Committed);
        Assert.Equal(2UL, net.B.Copy.Log.LastIndex);
        net.Allocate(net.A, net.B.InSync(2), net.C.InSync(2));
        FailOver(net);
        ulong token = net.B.Send(new TraceBuilder().Span(1, 2));
        net.Settle();
        Assert.Equal(Refusal.None, net.B.Answer(token));
        Assert.Equal(3UL, net.B.Core.Log.LastIndex);
        Assert.Equal(1, net.C.Copy.Decisions.Count);
        Assert.Equal(0, net.B.Core.PendingTraces);
    }

    [Fact]
    public void Apply_FromNothing_LeavesWhatACompleteCopyHad()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        net.Kill(net.A);
        net.Allocate(net.B, [net.B], fromNothing: true);
        Assert.Equal(0, net.B.Core.PendingTraces);
        Assert.Equal(0UL, net.B.Core.Log.LastIndex);
    }

    [Fact]
    public void Apply_CopyUnderAnotherStay_BeginsFromNothing()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        net.Allocate(net.A, net.C.InSync(2));
        Assert.Null(net.B.Host.Copy(0));
        net.Allocate(net.A, net.B.Learner(5), net.C.InSync(2));
        Assert.Equal(0, net.B.Copy.Log.LiveEntries);
        net.Pass(50);
        Assert.Equal(CopyState.CaughtUp, net.A.Report(net.B));
        Assert.Equal(1, net.B.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Apply_LearnerOfTheOldPrimary_IsFilledAnewByTheNewOne()
    {
        using HostNetwork net = new(nodes: 3);
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2));
        net.Pass(50);
        net.Allocate(net.A, net.B.InSync(2), net.C.Learner(3));
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Pass(100);
        Assert.True(net.C.Copy.IsComplete);
        net.Kill(net.A);
        net.Allocate(net.B, net.C.Learner(3));
        net.Pass(50);
        Assert.Equal(CopyState.CaughtUp, net.B.Report(net.C));
        Assert.Equal(1, net.C.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Receive_FromAPrimaryOfAnOldTerm_IsNotTakenAndNotAnswered()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Allocate(net.B, [net.B, net.C], fromNothing: false, net.C.InSync(2));
        net.Settle();
        ulong token = net.A.Send(Old(net.Frame(new TraceBuilder().Span(1, 1))));
        List<Message> answers = [];
        net.Arrivals = m =>
        {
            answers.Add(m);
            return 1;
        };
        net.Settle();
        net.Pass(600);

        Assert.Null(net.A.Answer(token));
        Assert.Equal(0, net.C.Copy.Log.LiveEntries);
        Assert.Contains(answers, m => m.From == net.A.Id && m.To == net.C.Id);
        Assert.DoesNotContain(answers, m => m.From == net.C.Id && m.To == net.A.Id);

        byte[] Old(byte[] frame)
        {
            frame[8]--;
            return frame;
        }
    }

    [Fact]
    public void Primaries_WhileAnAllocationComes_StayAsTheyWereForWhoLooksAtThem()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        IReadOnlyList<ShardCore> before = net.A.Host.Primaries;

        net.Allocate(net.B, net.C.InSync(2));

        Assert.Equal(0, Assert.Single(before).Id);
        Assert.Empty(net.A.Host.Primaries);
    }

    [Fact]
    public void Apply_OlderAllocation_IsIgnored()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        ShardAllocation old = new(net.Version - 1, [new ShardAssignment(net.B.Id, 9, [])]);
        net.A.Host.Apply(old, net.Now);
        Assert.Equal(1u, net.A.Core.Term);
    }

    [Fact]
    public void Apply_ClockOfTheNewPrimaryBeganLater_TracesAreAsOldAsTheyWere()
    {
        using HostNetwork net = new();
        net.Now = 10;
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2));
        net.Pass(50);
        net.Allocate(net.A, net.B.InSync(2));

        // The copy gets the frame late, and what it says of its age lies before the copy's own time.
        net.Arrivals = _ => 0;
        net.A.Send(new TraceBuilder().Span(1, 1).Error());
        net.Settle();
        net.Now += 4000;
        net.Arrivals = _ => 1;
        net.A.Host.ConnectionChanged(net.B.Id, true, net.Now);
        net.Settle();
        Assert.Equal(60, net.B.Copy.Log.Place(net.B.Copy.Log.Find(1)).Arrival);
        net.Kill(net.A);
        net.Allocate(net.B);
        net.Pass(980);
        Assert.Equal(1, net.B.Core.PendingTraces);
        net.Pass(40);
        Assert.Equal(0, net.B.Core.PendingTraces);
    }

    /// <summary>A is dead, B is promoted, C stays.</summary>
    private static void FailOver(HostNetwork net)
    {
        net.Kill(net.A);
        net.Allocate(net.B, net.C.InSync(2));
        net.Settle();
    }
}
