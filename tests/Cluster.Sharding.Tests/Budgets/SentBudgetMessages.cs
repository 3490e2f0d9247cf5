using System.Runtime.InteropServices;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Budgets;

namespace Cluster.Sharding.Tests.Budgets;

/// <summary>What a core sent, until it is taken.</summary>
internal sealed class SentBudgetMessages : IBudgetEffects
{
    private readonly Queue<(MemberId To, PeerMessageKind Kind, ulong Id, byte[] Payload)> _sent = [];

    public int Count => _sent.Count;

    public void Send(MemberId to, PeerMessageKind kind, ulong id, ReadOnlySpan<byte> payload) => _sent.Enqueue((to, kind, id, payload.ToArray()));

    public (MemberId To, PeerMessageKind Kind, ulong Id, byte[] Payload) Take() => _sent.Dequeue();

    /// <summary>The only message, a demand with one entry.</summary>
    public BudgetDemand Demand(out ulong id)
    {
        Assert.Equal(1, Count);
        (_, PeerMessageKind kind, id, byte[] payload) = Take();
        Assert.Equal(PeerMessageKind.BudgetDemand, kind);
        Assert.True(BudgetMessages.TryRead(payload, out ReadOnlySpan<BudgetDemand> entries));
        return Assert.Single(entries.ToArray());
    }

    /// <summary>The only message, a grant with one entry.</summary>
    public BudgetGrant Grant()
    {
        Assert.Equal(1, Count);
        (_, PeerMessageKind kind, _, byte[] payload) = Take();
        Assert.Equal(PeerMessageKind.BudgetGrant, kind);
        Assert.True(BudgetMessages.TryRead(payload, out ReadOnlySpan<BudgetGrant> entries));
        return Assert.Single(entries.ToArray());
    }

    public static byte[] Bytes(params BudgetDemand[] entries) => MemoryMarshal.AsBytes<BudgetDemand>(entries).ToArray();

    public static byte[] Bytes(params BudgetGrant[] entries) => MemoryMarshal.AsBytes<BudgetGrant>(entries).ToArray();
}
