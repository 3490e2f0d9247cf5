using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Budgets;

public sealed class BudgetLedgerCoreTests
{
    private const long Start = 1_000_000;
    private static readonly MemberId A = new("a", 1);
    private static readonly MemberId B = new("b", 2);

    private readonly SentBudgetMessages _sent = new();
    private ulong _id;

    [Fact]
    public void Demand_BeforeTakeoverIsOver_IsNotAnswered()
    {
        BudgetLedgerCore ledger = Ledger();
        ledger.Lead(long.MaxValue, Start);
        ledger.Demand(A, 1, Wants(10), Start + 1029, _sent);
        Assert.Equal(0, _sent.Count);
        ledger.Demand(A, 2, Wants(10), Start + 1030, _sent);
        BudgetGrant grant = _sent.Grant();
        Assert.Equal((0, 0), (grant.Lease, grant.Left));
    }

    [Fact]
    public void Demand_NewLedger_FillsAtTheRateLessTheDrift()
    {
        BudgetLedgerCore ledger = Leading();
        // 99 a second since the takeover at 1030.
        Assert.Equal(99, Ask(ledger, A, 200, 1030 + 1000));
        Assert.Equal(49, Ask(ledger, B, 200, 1030 + 1500));
    }

    [Fact]
    public void Demand_FullBucket_GrantsTheWholeBurstAndNoMore()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(200, Ask(ledger, A, 1000, 10_000));
        Assert.Equal(0, Ask(ledger, B, 1000, 10_000));
        // Leased units do not refill while they may be spent; when that is over they count as spent, at that moment.
        Assert.Equal(0, Ask(ledger, B, 1000, 11_029));
        Assert.Equal(0, Ask(ledger, B, 1000, 11_030));
        Assert.Equal(99, Ask(ledger, B, 1000, 12_031));
    }

    [Fact]
    public void Demand_GivenUp_IsThereForOthersAtOnce()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(150, Ask(ledger, A, 150, 10_000));
        Assert.Equal(30, Ask(ledger, A, 30, 10_100, held: 30, spent: 50));
        // 30 leased, 50 spent 100 ms ago of which 9.8 are back: the millisecond in which it was heard does not count.
        Assert.Equal(129, Ask(ledger, B, 200, 10_200));
    }

    [Fact]
    public void Demand_OldOrRepeated_SaysNothing()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(100, Ask(ledger, A, 100, 10_000));
        ulong id = _id;
        ledger.Demand(A, id, Wants(0), 10_010, _sent);
        ledger.Demand(A, id - 1, Wants(0), 10_020, _sent);
        Assert.Equal(0, _sent.Count);
        Assert.Equal(100, Ask(ledger, B, 200, 10_030));
    }

    [Fact]
    public void Demand_MoreHeldThanLeased_IsCutToTheLease()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(10, Ask(ledger, A, 10, 10_000));
        Assert.Equal(10, Ask(ledger, A, 0, 10_050, held: 150));
        Assert.Equal(0, Ask(ledger, B, 0, 10_060, held: 150));
        Assert.Equal(190, Ask(ledger, B, 200, 10_070));
    }

    /// <summary>What a node spent before this ledger knew it, or from a lease that is booked as spent already, is not booked again.</summary>
    [Fact]
    public void Demand_SpentBefore_IsNotBooked()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(20, Ask(ledger, A, 20, 10_000, spent: 5_000_000));
        Assert.Equal(20, Ask(ledger, A, 20, 10_010, held: 20, spent: 5_000_000));
        Assert.Equal(180, Ask(ledger, B, 200, 10_020));
    }

    [Fact]
    public void Demand_OfANonMember_IsNotAnswered()
    {
        BudgetLedgerCore ledger = Leading();
        ledger.Demand(new MemberId("a", 9), 1, Wants(10), 10_000, _sent);
        Assert.Equal(0, _sent.Count);
        ledger.SetMembers([Member(B)], 10_000);
        ledger.Demand(A, ++_id, Wants(10), 10_000, _sent);
        Assert.Equal(0, _sent.Count);
    }

    [Fact]
    public void SetMembers_OneWithALeaseIsGone_ItsLeaseRunsOut()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(150, Ask(ledger, A, 150, 10_000));
        ledger.SetMembers([Member(B)], 10_010);
        Assert.Equal(50, Ask(ledger, B, 200, 10_020));
        Assert.Equal(50, Ask(ledger, B, 200, 11_000, held: 50));
        ledger.Advance(11_030);
        Assert.Equal(50, Ask(ledger, B, 50, 11_500, held: 50));
        // All 150 count as spent at 11,030.
        Assert.Equal(50 + 99, Ask(ledger, B, 200, 11_030 + 1001, held: 50));
    }

    [Fact]
    public void Demand_TwoNodesMissMoreThanThereIs_ShareInProportion()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(200, Ask(ledger, A, 200, 10_000));
        Assert.Equal(0, Ask(ledger, B, 50, 10_000));
        // A misses 150, B missed 50: of the 100 that A gave back three quarters are its share; then it misses 75.
        Assert.Equal(50 + 75, Ask(ledger, A, 200, 10_001, held: 50, spent: 50));
        Assert.Equal(10, Ask(ledger, B, 50, 10_001));
    }

    [Fact]
    public void Demand_ShareIsOfNoUse_GetsTheLeastThatIsOrNothing()
    {
        BudgetLedgerCore ledger = Leading();
        Assert.Equal(190, Ask(ledger, A, 190, 10_000));
        Assert.Equal(0, Ask(ledger, B, 100, 10_000, least: 11));
        Assert.Equal(190 + 7, Ask(ledger, A, 290, 10_001, held: 190, least: 197));
        Assert.Equal(3, Ask(ledger, B, 100, 10_002, least: 3));
    }

    [Fact]
    public void Demand_AuthorityIsOver_IsNotAnsweredUntilTakeoverAgain()
    {
        BudgetLedgerCore ledger = Leading();
        ledger.Lead(20_000, 10_000);
        Assert.Equal(200, Ask(ledger, A, 200, 19_999));
        ledger.Demand(A, ++_id, Wants(10), 20_000, _sent);
        ledger.Lead(30_000, 20_001);
        ledger.Demand(A, ++_id, Wants(10), 21_030, _sent);
        Assert.Equal(0, _sent.Count);
        Assert.Equal(0, Ask(ledger, A, 10, 21_031));
        ledger.Lead(60_000, 22_000);
        Assert.Equal(200, Ask(ledger, A, 200, 29_000));
    }

    [Fact]
    public void Demand_AfterResign_IsNotAnswered()
    {
        BudgetLedgerCore ledger = Leading();
        ledger.Resign();
        ledger.Demand(A, 1, Wants(10), 10_000, _sent);
        Assert.Equal(0, _sent.Count);
    }

    [Fact]
    public void Demand_BudgetOfOtherPolicies_GetsNothing()
    {
        BudgetLedgerCore ledger = Leading();
        BudgetDemand other = new() { Key = BudgetMessages.Key("b", 100, 201), Wanted = 10 };
        ledger.Demand(A, 1, SentBudgetMessages.Bytes(other), 10_000, _sent);
        Assert.Equal(0, _sent.Count);
        ledger.Demand(A, 2, [.. Wants(10), .. SentBudgetMessages.Bytes(other), .. Wants(20)], 10_000, _sent);
        Assert.Equal(10, _sent.Grant().Lease);
    }

    [Fact]
    public void Demand_AnyBytes_NeitherThrowsNorGrantsMoreThanTheBurst()
    {
        BudgetLedgerCore ledger = Leading();
        Random random = new(4);
        long now = 10_000;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = Wants(random.NextInt64(1000), random.NextInt64(300), random.NextInt64(100), random.NextInt64(300));
            for (int flips = random.Next(3); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            now += random.Next(3);
            ledger.Demand(random.Next(2) == 0 ? A : B, (ulong)i, bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(41) : 40), now, _sent);
            if (_sent.Count > 0)
            {
                Assert.InRange(_sent.Grant().Lease, 0, 200);
            }
        }
    }

    /// <summary>
    /// The node A holds the whole burst when its coordinator leaves and another follows at once. A spends all of it at the very end of its lease.
    /// Nothing may have been granted up to then; a ledger that does not wait would have.
    /// </summary>
    [Theory]
    [InlineData(1030, false)]
    [InlineData(0, true)]
    public void Takeover_LeaseOfThePredecessorIsSpentLate_NothingWasGranted(long takeover, bool isExceeded)
    {
        BudgetTiming timing = BudgetTiming.Default with { Takeover = takeover };
        BudgetLeaseCore lease = WholeBurstLeased(timing, 51_000, out BudgetLedgerCore first);
        first.Resign();
        BudgetLedgerCore second = Ledger(timing);
        second.Lead(long.MaxValue, 51_001);
        AssertExceeded(isExceeded, lease.Take(0, 200, 51_999), second, 51_999);
    }

    /// <summary>The node A is paused with the whole burst, and wakes up when its lease is spent for the ledger, and has refilled.</summary>
    [Theory]
    [InlineData(1000, false)]
    [InlineData(5000, true)]
    public void Pause_WithTheWholeBurst_NothingIsTakenAfterwards(long hold, bool isExceeded)
    {
        BudgetLeaseCore lease = WholeBurstLeased(BudgetTiming.Default with { Hold = hold }, 51_000, out BudgetLedgerCore ledger);
        ledger.Advance(52_030);
        AssertExceeded(isExceeded, lease.Take(0, 200, 54_030), ledger, 54_030);
    }

    private static BudgetLeaseCore WholeBurstLeased(BudgetTiming timing, long now, out BudgetLedgerCore ledger)
    {
        SentBudgetMessages sent = new();
        BudgetLeaseCore lease = new([new Budget("b", 100, 200)], timing);
        lease.Changed(B, now - 3000);
        Assert.Equal(30, lease.AskAgainIn(0, 200, now));
        lease.Advance(now, sent);
        ledger = Ledger(timing);
        ledger.Lead(long.MaxValue, 0);
        (_, _, ulong id, byte[] payload) = sent.Take();
        ledger.Demand(A, id, payload, now, sent);
        lease.Granted(B, id, sent.Take().Payload, now);
        Assert.True(lease.Holds(0, 200, now));
        return lease;
    }

    /// <summary>Whether what A has taken, and what B is granted and takes at the same time, is more than the burst.</summary>
    private static void AssertExceeded(bool isExceeded, bool hasTaken, BudgetLedgerCore ledger, long now)
    {
        SentBudgetMessages sent = new();
        ledger.Demand(B, 1, Wants(200), now, sent);
        long granted = sent.Count > 0 ? sent.Grant().Lease : 0;
        List<(long, long)> taken = [(now * 1000, hasTaken ? 200 : 0), (now * 1000, granted)];
        Assert.Equal(isExceeded, BudgetPromise.Excess(new Budget("b", 100, 200), taken) > 0);
    }

    private static BudgetLedgerCore Ledger(BudgetTiming? timing = null)
    {
        BudgetLedgerCore ledger = new([new Budget("b", 100, 200)], timing ?? BudgetTiming.Default);
        ledger.SetMembers([Member(A), Member(B)], 0);
        return ledger;
    }

    private static BudgetLedgerCore Leading()
    {
        BudgetLedgerCore ledger = Ledger();
        ledger.Lead(long.MaxValue, 0);
        return ledger;
    }

    private static Member Member(MemberId id) => new(id, "");

    private static byte[] Wants(long wanted, long held = 0, long spent = 0, long least = 0) => SentBudgetMessages.Bytes(
        new BudgetDemand { Key = BudgetMessages.Key("b", 100, 200), Wanted = wanted, Held = held, Spent = spent, Least = least });

    private long Ask(BudgetLedgerCore ledger, MemberId from, long wanted, long now, long held = 0, long spent = 0, long least = 0)
    {
        ledger.Demand(from, ++_id, Wants(wanted, held, spent, least), now, _sent);
        return _sent.Grant().Lease;
    }
}
