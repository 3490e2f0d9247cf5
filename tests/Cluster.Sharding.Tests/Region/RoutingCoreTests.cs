using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Region;
using static Cluster.Sharding.Tests.Region.RoutingHarness;

namespace Cluster.Sharding.Tests.Region;

public sealed class RoutingCoreTests
{
    private static readonly ShardAllocation Two = Allocation(1, (A, 5), (B, 6));

    [Fact]
    public void Begin_OwnersKnown_SendsEachFrameToItsOwnerUnderItsTerm()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        Assert.Equal([5u, 6u], routing.Sends.Select(s => s.Header.Term));
        Assert.Equal([(0, 1, A, 5u), (1, 1, B, 6u)], routing.Take());
        Assert.False(routing.Core.IsComplete);
        Assert.Equal(Deadline, routing.Core.WakeAt);
    }

    [Fact]
    public void Begin_NoFrames_IsCompleteAtOnce()
    {
        RoutingHarness routing = new RoutingHarness().Begin(0, Two);
        Assert.True(routing.Core.IsComplete);
        Assert.Equal(Refusal.None, routing.Core.Outcome);
        Assert.Equal(long.MaxValue, routing.Core.WakeAt);
    }

    [Fact]
    public void Answered_AllTaken_CompletesWithNone()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        routing.Core.Answered(1, 1, Refusal.None, 10);
        Assert.False(routing.Core.IsComplete);
        routing.Core.Answered(1, 1, Refusal.None, 11);
        Assert.False(routing.Core.IsComplete);
        routing.Core.Answered(0, 1, Refusal.None, 12);
        Assert.True(routing.Core.IsComplete);
        Assert.Equal(Refusal.None, routing.Core.Outcome);
    }

    [Theory]
    [InlineData(Refusal.NotOwner)]
    [InlineData(Refusal.LeaseEnded)]
    [InlineData(Refusal.ShuttingDown)]
    [InlineData(Refusal.OwnerUnreachable)]
    public void Answered_ByOneWhoMayTakeItLater_IsSentAgainAfterABackOffThatGrows(Refusal refusal)
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Take();
        long now = 1000;
        int attempt = 1;
        foreach (long backOff in new long[] { 50, 100, 200, 400, 800, 1000, 1000 })
        {
            routing.Core.Answered(0, attempt, refusal, now);
            Assert.Equal(now + backOff, routing.Core.WakeAt);
            routing.Core.Advance(now + backOff - 1);
            Assert.Empty(routing.Sends);
            now += backOff;
            routing.Core.Advance(now);
            Assert.Equal([(0, ++attempt, A, 5u)], routing.Take());
        }
    }

    [Theory]
    [InlineData(Refusal.Memory)]
    [InlineData(Refusal.ExportQueueFull)]
    [InlineData(Refusal.PeerBusy)]
    [InlineData(Refusal.NotEnoughInSync)]
    [InlineData((Refusal)200)]
    public void Answered_ForWantOfResources_RefusesTheRequestOnceTheOthersHaveAnswered(Refusal refusal)
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        routing.Core.Answered(0, 1, refusal, 10);
        Assert.False(routing.Core.IsComplete);
        routing.Core.Answered(1, 1, Refusal.None, 20);
        Assert.True(routing.Core.IsComplete);
        Assert.Equal(refusal, routing.Core.Outcome);
    }

    [Fact]
    public void Answered_AfterARefusalForGood_SendsNothingAgain()
    {
        RoutingHarness routing = new RoutingHarness().Begin(3, Allocation(1, (A, 5), (B, 6), (C, 7)));
        routing.Take();
        routing.Core.Answered(2, 1, Refusal.NotOwner, 10);
        routing.Core.Answered(0, 1, Refusal.Memory, 20);
        routing.Core.Advance(500);
        routing.Core.Apply(Allocation(2, (A, 5), (C, 8), (A, 8)), 500);
        Assert.False(routing.Core.IsComplete);
        routing.Core.Answered(1, 1, Refusal.NotOwner, 600);
        Assert.True(routing.Core.IsComplete);
        Assert.Equal(Refusal.Memory, routing.Core.Outcome);
        Assert.Empty(routing.Sends);
    }

    [Fact]
    public void Answered_TakenByAnEarlierAttempt_Counts()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Apply(Allocation(2, (B, 6)), 100);
        routing.Core.Answered(0, 1, Refusal.None, 110);
        Assert.True(routing.Core.IsComplete);
        Assert.Equal(Refusal.None, routing.Core.Outcome);
    }

    [Fact]
    public void Answered_RefusedByAnEarlierAttempt_IsIgnored()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Apply(Allocation(2, (B, 6)), 100);
        Assert.Equal([(0, 1, A, 5u), (0, 2, B, 6u)], routing.Take());
        routing.Core.Answered(0, 1, Refusal.Memory, 110);
        routing.Core.Answered(0, 1, Refusal.NotOwner, 110);
        routing.Core.Advance(5000);
        Assert.False(routing.Core.IsComplete);
        Assert.Empty(routing.Sends);
    }

    [Fact]
    public void Answered_WhileItWaits_RefusalsAreIgnoredAndTakenCounts()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Answered(0, 1, Refusal.NotOwner, 100);
        routing.Core.Answered(0, 1, Refusal.Memory, 101);
        Assert.False(routing.Core.IsComplete);
        routing.Core.Answered(0, 1, Refusal.None, 102);
        Assert.True(routing.Core.IsComplete);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(2, 1)]
    [InlineData(int.MaxValue, 1)]
    [InlineData(0, 0)]
    [InlineData(0, -1)]
    [InlineData(0, 2)]
    public void Answered_ForNothingThatWasSent_IsIgnored(int frame, int attempt)
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Answered(frame, attempt, Refusal.None, 10);
        routing.Core.Answered(frame, attempt, Refusal.Memory, 10);
        Assert.False(routing.Core.IsComplete);
        Assert.Equal(Refusal.None, routing.Core.Outcome);
    }

    [Fact]
    public void Apply_OwnerChangedWhileUnderWay_IsSentToTheNewOwnerAtOnce()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        routing.Take();
        routing.Core.Apply(Allocation(2, (A, 5), (C, 7)), 100);
        Assert.Equal([(1, 2, C, 7u)], routing.Take());
        Assert.Equal(Deadline, routing.Core.WakeAt);
    }

    [Fact]
    public void Apply_TermChangedWhileItWaits_IsSentAtOnceAndBacksOffFromTheBeginning()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Answered(0, 1, Refusal.NotOwner, 100);
        routing.Core.Advance(150);
        routing.Core.Answered(0, 2, Refusal.NotOwner, 160);
        routing.Take();
        routing.Core.Apply(Allocation(2, (A, 6)), 170);
        Assert.Equal([(0, 3, A, 6u)], routing.Take());
        routing.Core.Answered(0, 3, Refusal.NotOwner, 200);
        Assert.Equal(250, routing.Core.WakeAt);
    }

    [Fact]
    public void Apply_SameOwnerAndTerm_LeavesTheBackOff()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Answered(0, 1, Refusal.NotOwner, 100);
        routing.Take();
        routing.Core.Apply(Allocation(2, (A, 5)), 110);
        Assert.Empty(routing.Sends);
        Assert.Equal(150, routing.Core.WakeAt);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Apply_NotNewer_IsIgnored(long version)
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(3, (A, 5)));
        routing.Take();
        routing.Core.Apply(Allocation(version, (B, 4)), 10);
        Assert.Empty(routing.Sends);
    }

    [Fact]
    public void Apply_FirstOwnerOfAShardWithout_IsSentAtOnce()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Allocation(1, (default, 0)));
        Assert.Empty(routing.Sends);
        Assert.Equal(Deadline, routing.Core.WakeAt);
        routing.Core.Apply(Allocation(2, (A, 1), (B, 1)), 300);
        Assert.Equal([(0, 1, A, 1u), (1, 1, B, 1u)], routing.Take());
    }

    [Fact]
    public void Apply_OwnerGoneWhileUnderWay_WaitsForTheNextOne()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Core.Apply(Allocation(2, (default, 5)), 100);
        routing.Core.Lost(A, 110);
        routing.Take();
        routing.Core.Advance(160);
        Assert.Empty(routing.Sends);
        Assert.Equal(Deadline, routing.Core.WakeAt);
        routing.Core.Apply(Allocation(3, (B, 6)), 500);
        Assert.Equal([(0, 2, B, 6u)], routing.Take());
    }

    [Fact]
    public void Lost_FramesUnderWayToThatPeer_AreSentAgainWithSameSenderAndSequence()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        routing.Core.Lost(B, 100);
        routing.Core.Advance(150);
        Assert.Equal([(0, 1), (1, 1), (1, 2)], routing.Sends.Select(s => (s.Frame, s.Attempt)));
        Assert.All(routing.Sends, s => Assert.Equal((99ul, 1000ul + (ulong)s.Frame), (s.Header.Sender, s.Header.Sequence)));
    }

    [Theory]
    [InlineData(false, Refusal.OwnerUnreachable)]
    [InlineData(true, Refusal.DeadlineExceeded)]
    public void Advance_DeadlineOfAFrameThatWaits_SaysWhetherItWasEverSent(bool wasLost, Refusal expected)
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        if (wasLost)
        {
            routing.Core.Lost(A, Deadline - 10);
        }
        else
        {
            routing.Core.Answered(0, 1, Refusal.OwnerUnreachable, Deadline - 10);
        }

        routing.Core.Advance(Deadline - 1);
        Assert.False(routing.Core.IsComplete);
        routing.Core.Advance(Deadline);
        Assert.True(routing.Core.IsComplete);
        Assert.Equal(expected, routing.Core.Outcome);
        Assert.Equal(long.MaxValue, routing.Core.WakeAt);
    }

    [Fact]
    public void Advance_DeadlineOfAFrameUnderWay_IsDeadlineExceeded()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        routing.Core.Answered(0, 1, Refusal.None, 10);
        routing.Core.Advance(Deadline);
        Assert.Equal((true, Refusal.DeadlineExceeded), (routing.Core.IsComplete, routing.Core.Outcome));
    }

    [Fact]
    public void Advance_DeadlineOfAShardWithoutOwner_IsOwnerUnreachable()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (default, 0)));
        routing.Core.Advance(Deadline);
        Assert.Equal((true, Refusal.OwnerUnreachable), (routing.Core.IsComplete, routing.Core.Outcome));
    }

    [Fact]
    public void Apply_AfterTheDeadline_SendsNothing()
    {
        RoutingHarness routing = new RoutingHarness().Begin(1, Allocation(1, (A, 5)));
        routing.Take();
        routing.Core.Apply(Allocation(2, (B, 6)), Deadline);
        Assert.True(routing.Core.IsComplete);
        Assert.Empty(routing.Sends);
    }

    [Fact]
    public void Begin_Again_ForgetsTheRequestBefore()
    {
        RoutingHarness routing = new RoutingHarness().Begin(2, Two);
        routing.Core.Answered(0, 1, Refusal.Memory, 10);
        routing.Core.Answered(1, 1, Refusal.None, 10);
        routing.Take();
        routing.Begin(1, Allocation(1, (B, 9)), deadline: 30);
        Assert.Equal([(0, 1, B, 9u)], routing.Take());
        routing.Core.Answered(0, 1, Refusal.None, 20);
        Assert.Equal((true, Refusal.None), (routing.Core.IsComplete, routing.Core.Outcome));
    }

    [Fact]
    public void Begin_Reused_AllocatesNothing()
    {
        RoutingHarness routing = new() { Records = false };
        ShardAllocation allocation = Two;
        Fill(routing.Batch, 2);
        Round();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            Round();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Round()
        {
            routing.Core.Begin(routing.Batch, allocation, Deadline, routing);
            routing.Core.Answered(0, 1, Refusal.NotOwner, 10);
            routing.Core.Advance(60);
            routing.Core.Answered(0, 2, Refusal.None, 70);
            routing.Core.Answered(1, 1, Refusal.None, 70);
        }
    }

    /// <summary>
    /// Random answers, losses, allocations and time: whatever comes, the request completes by its deadline, only when each frame was taken or
    /// refused, and every send carries the current owner's term and the frame's own sender and sequence.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AnyEvents_Always_AnswerEachFrameOnce(int seed)
    {
        Random random = new(seed);
        for (int run = 0; run < 2000; run++)
        {
            RunAtRandom(new Random(random.Next()));
        }
    }

    private static void RunAtRandom(Random random)
    {
        MemberId[] members = [A, B, C, default];
        Refusal[] answers =
        [
            Refusal.None, Refusal.None, Refusal.None, Refusal.NotOwner, Refusal.LeaseEnded, Refusal.ShuttingDown,
            Refusal.OwnerUnreachable, random.Next(4) == 0 ? Refusal.Memory : Refusal.None,
        ];
        int frames = random.Next(1, 7);
        long version = 1;
        ShardAllocation allocation = RandomAllocation();
        RoutingHarness routing = new RoutingHarness().Begin(frames, allocation, deadline: 3000);
        bool[] taken = new bool[frames];
        Refusal? refused = null;
        int checkedSends = 0;
        for (long now = 0; !routing.Core.IsComplete; now += random.Next(1, 80))
        {
            CheckSends();
            switch (random.Next(5))
            {
                case 0 when routing.Core.WakeAt <= now || now >= 3000:
                    routing.Core.Advance(now);
                    break;
                case 1:
                    version += random.Next(-1, 3);
                    ShardAllocation next = RandomAllocation();
                    allocation = next.Version > allocation.Version ? next : allocation;
                    routing.Core.Apply(next, now);
                    break;
                case 2:
                    routing.Core.Lost(members[random.Next(3)], now);
                    break;
                default:
                    Answer(now);
                    break;
            }

            Assert.True(now < 6000, "not complete long after its deadline");
        }

        CheckSends();
        int sent = routing.Sends.Count;
        if (routing.Core.Outcome == Refusal.None)
        {
            Assert.All(taken, Assert.True);
        }
        else if (refused is { } first)
        {
            Assert.Equal(first, routing.Core.Outcome);
        }
        else
        {
            Assert.Contains(routing.Core.Outcome, new[] { Refusal.DeadlineExceeded, Refusal.OwnerUnreachable });
            Assert.Contains(false, taken);
        }

        // Complete is complete.
        Refusal outcome = routing.Core.Outcome;
        Answer(10_000);
        routing.Core.Lost(A, 10_000);
        routing.Core.Advance(10_000);
        routing.Core.Apply(Allocation(1000, (C, 1000)), 10_000);
        Assert.Equal((true, outcome, sent), (routing.Core.IsComplete, routing.Core.Outcome, routing.Sends.Count));

        ShardAllocation RandomAllocation() =>
            Allocation(version, [.. Enumerable.Range(0, frames).Select(_ => (members[random.Next(4)], (uint)version))]);

        void Answer(long now)
        {
            if (routing.Sends.Count == 0)
            {
                return;
            }

            RoutedSend send = routing.Sends[random.Next(routing.Sends.Count)];
            Refusal answer = answers[random.Next(answers.Length)];
            bool isNewest = routing.Sends.Count(s => s.Frame == send.Frame) == send.Attempt;
            taken[send.Frame] |= answer == Refusal.None && !routing.Core.IsComplete;
            Refusal before = routing.Core.Outcome;
            routing.Core.Answered(send.Frame, send.Attempt, answer, now);
            if (before == Refusal.None && routing.Core.Outcome != Refusal.None)
            {
                Assert.Equal((Refusal.Memory, true), (answer, isNewest));
                refused = Refusal.Memory;
            }
        }

        void CheckSends()
        {
            for (; checkedSends < routing.Sends.Count; checkedSends++)
            {
                RoutedSend send = routing.Sends[checkedSends];
                Assert.Null(refused);
                Assert.False(taken[send.Frame]);
                Assert.Equal((allocation[send.Frame].Primary, allocation[send.Frame].Term), (send.Owner, send.Term));
                Assert.Equal((send.Term, 99ul, 1000ul + (ulong)send.Frame), (send.Header.Term, send.Header.Sender, send.Header.Sequence));
                Assert.Equal(routing.Sends.Take(checkedSends).Count(s => s.Frame == send.Frame) + 1, send.Attempt);
            }
        }
    }
}
