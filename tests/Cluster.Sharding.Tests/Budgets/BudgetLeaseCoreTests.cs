using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Budgets;

namespace Cluster.Sharding.Tests.Budgets;

public sealed class BudgetLeaseCoreTests
{
    private static readonly MemberId Coordinator = new("c", 1);
    private static readonly ulong Key = BudgetMessages.Key("b", 1000, 100);

    private readonly SentBudgetMessages _sent = new();
    private readonly BudgetLeaseCore _core = new([new Budget("b", 1000, 100)], BudgetTiming.Default);

    [Fact]
    public void Take_NothingLeased_IsRefusedAndFinalWithoutACoordinator()
    {
        Assert.False(_core.Take(0, 1, 0));
        Assert.True(_core.Take(0, 0, 0));
        Assert.Equal(0, _core.AskAgainIn(0, 1, 1000));
        _core.Advance(1000, _sent);
        Assert.Equal(0, _sent.Count);
    }

    [Fact]
    public void Advance_DecisionsWait_AsksForAllOfThem()
    {
        _core.Changed(Coordinator, 0);
        Refuse(7, 1000);
        Refuse(3, 1000);
        _core.Advance(1000, _sent);
        BudgetDemand demand = _sent.Demand(out ulong id);
        Assert.Equal(1UL, id);
        Assert.Equal((Key, 0, 0, 10, 3), (demand.Key, demand.Spent, demand.Held, demand.Wanted, demand.Least));
        Grant(id, lease: 10, left: 50, 1002);
        Assert.True(_core.Take(0, 7, 1010));
        Assert.True(_core.Holds(0, 3, 1010));
        Assert.False(_core.Holds(0, 4, 1010));
    }

    [Fact]
    public void Advance_NothingIsUsed_SaysNothing()
    {
        _core.Changed(Coordinator, 0);
        for (long now = 0; now < 10_000; now += 10)
        {
            _core.Advance(now, _sent);
        }

        Assert.Equal(0, _sent.Count);
    }

    [Fact]
    public void Take_HoldHasPassedSinceTheDemand_IsRefused()
    {
        ulong id = Demand(20, 1000);
        Grant(id, lease: 20, left: 0, 1900);
        Assert.True(_core.Take(0, 5, 1999));
        Assert.False(_core.Take(0, 5, 2000));
        Assert.False(_core.Take(0, 5, 1999));
    }

    [Fact]
    public void Granted_TooLate_IsNotTaken()
    {
        ulong id = Demand(20, 1000);
        Grant(id, lease: 20, left: 0, 2000);
        Assert.False(_core.Holds(0, 1, 2000));
    }

    [Fact]
    public void Granted_Twice_CountsOnce()
    {
        ulong id = Demand(20, 1000);
        Grant(id, lease: 20, left: 0, 1001);
        Assert.True(_core.Take(0, 15, 1002));
        Grant(id, lease: 20, left: 0, 1003);
        Assert.False(_core.Holds(0, 6, 1003));
    }

    [Fact]
    public void Granted_ToAnOlderDemand_IsNotTaken()
    {
        ulong old = Demand(20, 1000);
        _core.Advance(1249, _sent);
        Assert.Equal(0, _sent.Count);
        _core.Advance(1250, _sent);
        Assert.Equal(20, _sent.Demand(out ulong newer).Wanted);
        Grant(old, lease: 20, left: 0, 1251);
        Assert.False(_core.Holds(0, 1, 1251));
        Grant(newer, lease: 20, left: 0, 1252);
        Assert.True(_core.Holds(0, 20, 1252));
    }

    [Fact]
    public void Granted_ByAnother_IsNotTaken()
    {
        ulong id = Demand(20, 1000);
        _core.Granted(new MemberId("c", 2), id, Bytes(20, 0), 1001);
        Assert.False(_core.Holds(0, 1, 1001));
        _core.Changed(new MemberId("d", 3), 1002);
        Grant(id, lease: 20, left: 0, 1003);
        Assert.False(_core.Holds(0, 1, 1003));
    }

    [Fact]
    public void Granted_SpentSinceTheDemand_IsTakenOff()
    {
        Grant(Demand(20, 1000), lease: 20, left: 0, 1001);
        Refuse(30, 1100);
        _core.Advance(1100, _sent);
        Assert.Equal(20, _sent.Demand(out ulong id).Held);
        Assert.True(_core.Take(0, 15, 1105));
        Grant(id, lease: 40, left: 0, 1110);
        Assert.True(_core.Holds(0, 25, 1110));
        Assert.False(_core.Holds(0, 26, 1110));
        Grant(Demand(5, 1200), lease: 3, left: 0, 1201);
        Assert.False(_core.Holds(0, 4, 1201));
    }

    [Fact]
    public void Granted_MoreThanTheBurst_IsCutToIt()
    {
        Grant(Demand(20, 1000), lease: BudgetMessages.MaximumUnits, left: 0, 1001);
        Assert.True(_core.Holds(0, 100, 1001));
        Assert.False(_core.Holds(0, 101, 1001));
    }

    [Fact]
    public void Demand_HeldButNotUsed_IsGivenBack()
    {
        Grant(Demand(80, 1000), lease: 80, left: 0, 1001);
        long held = 80;
        for (long now = 1010; now < 1900; now += 10)
        {
            _core.Advance(now, _sent);
            if (_sent.Count > 0)
            {
                BudgetDemand demand = _sent.Demand(out ulong id);
                Assert.True(demand.Held <= held / 4);
                Assert.Equal(demand.Held, demand.Wanted);
                Assert.False(_core.Holds(0, demand.Held + 1, now));
                held = demand.Held;
                Grant(id, held, left: 0, now + 1);
            }
        }

        Assert.Equal(0, held);
    }

    [Fact]
    public void Demand_ManyDecisions_AsksAheadOfThem()
    {
        _core.Changed(Coordinator, 0);
        BudgetDemand last = default;
        for (long now = 1000; now < 3000; now += 10)
        {
            // A unit each 5 ms.
            _core.Take(0, 1, now);
            _core.Take(0, 1, now);
            _core.Advance(now, _sent);
            if (_sent.Count > 0)
            {
                last = _sent.Demand(out ulong id);
                Grant(id, last.Wanted, left: 0, now + 1);
            }
        }

        Assert.InRange(last.Wanted, 35, 41);
    }

    [Fact]
    public void AskAgainIn_MoreThanIsLeft_IsFinal()
    {
        Grant(Demand(20, 1000), lease: 20, left: 10, 1001);
        Assert.Equal(0, _core.AskAgainIn(0, 101, 1001));
        Assert.Equal(0, _core.AskAgainIn(0, 31, 1001));
        Assert.Equal(30, _core.AskAgainIn(0, 30, 1001));
        // What waits already has the first right to it; one unit comes each millisecond.
        Assert.Equal(0, _core.AskAgainIn(0, 21, 1001));
        Assert.Equal(30, _core.AskAgainIn(0, 21, 1022));
    }

    [Fact]
    public void Status_SaysWhatIsHeldWasTakenAndWasMissing()
    {
        Assert.Equal(new BudgetStatus("b", 0, 0, 0), _core.Status(0, "b", 0));
        Grant(Demand(20, 1000), lease: 20, left: 0, 1001);
        Assert.Equal(new BudgetStatus("b", 20, 0, 1), _core.Status(0, "b", 1001));
        Assert.True(_core.Take(0, 15, 1002));
        Assert.False(_core.Take(0, 6, 1002));
        Refuse(6, 1002);
        Assert.Equal(new BudgetStatus("b", 5, 15, 2), _core.Status(0, "b", 1002));

        // A refusal that is final is no shortage.
        Assert.Equal(0, _core.AskAgainIn(0, 101, 1002));
        Assert.Equal(new BudgetStatus("b", 5, 15, 2), _core.Status(0, "b", 1999));
        Assert.Equal(new BudgetStatus("b", 0, 15, 2), _core.Status(0, "b", 2000));
    }

    [Fact]
    public void Status_OfALaterTime_ChangesNothing()
    {
        Grant(Demand(20, 1000), lease: 20, left: 0, 1001);
        Assert.Equal(0, _core.Status(0, "b", 5000).Leased);
        Assert.True(_core.Take(0, 20, 1002));
    }

    [Fact]
    public void Changed_MembersOnly_AsksAtOnce()
    {
        Grant(Demand(20, 1000), lease: 20, left: 0, 1001);
        _core.Changed(Coordinator, 1010);
        _core.Advance(1010, _sent);
        _sent.Demand(out _);
        _core.Advance(1020, _sent);
        Assert.Equal(0, _sent.Count);
    }

    [Fact]
    public void Advance_MoreBudgetsThanAMessageHolds_SendsSeveral()
    {
        BudgetLeaseCore core = new([.. Enumerable.Range(0, 2500).Select(_ => new Budget("same", 1, 10))], BudgetTiming.Default);
        core.Changed(Coordinator, 0);
        for (int i = 0; i < 2500; i++)
        {
            Assert.Equal(30, core.AskAgainIn(i, 1, 1000));
        }

        core.Advance(1000, _sent);
        HashSet<ulong> keys = [];
        foreach (int count in (int[])[1024, 1024, 452])
        {
            Assert.True(BudgetMessages.TryRead(_sent.Take().Payload, out ReadOnlySpan<BudgetDemand> entries));
            Assert.Equal(count, entries.Length);
            keys.UnionWith(entries.ToArray().Select(e => e.Key));
        }

        Assert.Equal(2500, keys.Count);
    }

    [Fact]
    public void Granted_AnyBytes_NeitherThrowsNorHoldsMoreThanTheBurst()
    {
        Random random = new(8);
        long now = 1000;
        _core.Changed(Coordinator, now);
        for (int i = 0; i < 20_000; i++)
        {
            now += random.Next(30);
            _core.Take(0, random.Next(50), now);
            _core.AskAgainIn(0, random.Next(50), now);
            _core.Advance(now, _sent);
            ulong id = _sent.Count > 0 ? _sent.Take().Id : (ulong)i;
            byte[] bytes = Bytes(random.NextInt64(200), random.NextInt64(200));
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            _core.Granted(Coordinator, id, bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(25) : 24), now);
            Assert.False(_core.Holds(0, 101, now));
            Assert.True(_core.Holds(0, 0, now));
        }
    }

    private static byte[] Bytes(long lease, long left) => SentBudgetMessages.Bytes(new BudgetGrant { Key = Key, Lease = lease, Left = left });

    private void Refuse(long amount, long now)
    {
        Assert.Equal(30, _core.AskAgainIn(0, amount, now));
    }

    private ulong Demand(long amount, long now)
    {
        _core.Changed(Coordinator, now - 1000);
        Refuse(amount, now);
        _core.Advance(now, _sent);
        _sent.Demand(out ulong id);
        return id;
    }

    private void Grant(ulong id, long lease, long left, long now) => _core.Granted(Coordinator, id, Bytes(lease, left), now);
}
