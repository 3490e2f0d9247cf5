using System.Runtime.InteropServices;
using Cluster.Messages.Transport;

namespace Cluster.Messages.Tests.Transport;

public sealed class BudgetMessagesTests
{
    [Fact]
    public void Demand_InMemory_HasItsSizeAndLayout()
    {
        Assert.Equal(BudgetDemand.Size, Marshal.SizeOf<BudgetDemand>());
        Assert.Equal(BudgetGrant.Size, Marshal.SizeOf<BudgetGrant>());
        BudgetDemand[] demand = [new() { Key = 1, Spent = 2, Held = 3, Wanted = 4, Least = 5 }];
        byte[] bytes = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        Assert.Equal(bytes, MemoryMarshal.AsBytes<BudgetDemand>(demand).ToArray());
        BudgetGrant[] grant = [new() { Key = 1, Lease = 2, Left = 3 }];
        Assert.Equal(bytes[..24], MemoryMarshal.AsBytes<BudgetGrant>(grant).ToArray());
    }

    /// <summary>Nodes of different builds must agree on it.</summary>
    [Fact]
    public void Key_OfABudget_IsThisForever()
    {
        Assert.Equal(0x39CDE442FA3A4C17UL, BudgetMessages.Key("policies.rate", 5, 10));
        ulong[] others =
        [
            BudgetMessages.Key("policies.rate", 5, 10, ordinal: 1), BudgetMessages.Key("policies.rate", 5, 11),
            BudgetMessages.Key("policies.rate", 6, 10), BudgetMessages.Key("policies.rates", 5, 10), BudgetMessages.Key("", 0, 0),
        ];
        Assert.Equal(6, others.Append(BudgetMessages.Key("policies.rate", 5, 10)).Distinct().Count());
    }

    [Fact]
    public void TryRead_WholeEntries_AreReadWhereTheyLie()
    {
        BudgetDemand[] demands = [new() { Key = 7, Spent = long.MaxValue, Held = BudgetMessages.MaximumUnits }, new() { Key = 8 }];
        byte[] bytes = MemoryMarshal.AsBytes<BudgetDemand>(demands).ToArray();
        Assert.True(BudgetMessages.TryRead(bytes, out ReadOnlySpan<BudgetDemand> read));
        Assert.Equal([7UL, 8UL], read.ToArray().Select(d => d.Key));
        Assert.False(BudgetMessages.TryRead(bytes.AsSpan(1), out read));
        Assert.True(read.IsEmpty);
        Assert.False(BudgetMessages.TryRead([], out read));
        Assert.False(BudgetMessages.TryRead([], out ReadOnlySpan<BudgetGrant> _));
        Assert.True(BudgetMessages.TryRead(new byte[BudgetMessages.MaximumEntries * BudgetDemand.Size], out read));
        Assert.False(BudgetMessages.TryRead(new byte[(BudgetMessages.MaximumEntries + 1) * BudgetDemand.Size], out read));
    }

    [Theory]
    [InlineData(-1, 0, 0, 0)]
    [InlineData(0, -1, 0, 0)]
    [InlineData(0, 0, long.MinValue, 0)]
    [InlineData(0, 0, 0, -1)]
    [InlineData(0, BudgetMessages.MaximumUnits + 1, 0, 0)]
    [InlineData(0, 0, long.MaxValue, 0)]
    [InlineData(0, 0, 0, long.MaxValue)]
    public void TryRead_NumbersOutOfRange_AreRefused(long spent, long held, long wanted, long least)
    {
        BudgetDemand[] demand = [default, new() { Spent = spent, Held = held, Wanted = wanted, Least = least }];
        Assert.False(BudgetMessages.TryRead(MemoryMarshal.AsBytes<BudgetDemand>(demand), out ReadOnlySpan<BudgetDemand> _));
        BudgetGrant[] grant = [new() { Lease = held, Left = wanted }];
        Assert.Equal(held is 0 && wanted is 0, BudgetMessages.TryRead(MemoryMarshal.AsBytes<BudgetGrant>(grant), out ReadOnlySpan<BudgetGrant> _));
    }
}
