using System.Collections.Concurrent;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Region;

/// <summary>
/// A region's deliveries, each under a number for life, so that an answer that comes over a link finds the one it is for. Thread-safe.
/// </summary>
internal sealed class DeliveryTable(IDeliveryWays ways)
{
    private readonly Lock _gate = new();
    private readonly ConcurrentBag<Delivery> _free = [];
    private Delivery[] _all = [];

    /// <summary>The number that a frame goes to a peer under: it names delivery, its use, frame and attempt.</summary>
    public static ulong IdOf(Delivery delivery, int frame, int attempt) =>
        (ulong)(uint)delivery.Slot << 40 | (ulong)delivery.Generation << 24 | (ulong)(ushort)frame << 8 | (byte)attempt;

    /// <summary>A delivery that is free.</summary>
    public Delivery Take()
    {
        if (_free.TryTake(out Delivery? delivery))
        {
            return delivery;
        }

        lock (_gate)
        {
            Delivery made = new(ways, _all.Length);
            _all = [.. _all, made];
            return made;
        }
    }

    /// <summary>A delivery is free again.</summary>
    public void GiveBack(Delivery delivery) => _free.Add(delivery);

    /// <summary>A peer's answer, whatever it sent; one without a meaning is none.</summary>
    public void Answered(ulong id, ReadOnlySpan<byte> payload, long now)
    {
        Delivery[] all = Volatile.Read(ref _all);
        ulong slot = id >> 40;
        if (slot < (ulong)all.Length && PeerAnswers.TryReadDelivered(payload, out Refusal refusal))
        {
            all[slot].Answered((ushort)(id >> 24), (ushort)(id >> 8), (byte)id, refusal, now);
        }
    }

    /// <summary>Does something to every delivery; those that are not under way ignore it.</summary>
    public void ForEach(Action<Delivery> action)
    {
        foreach (Delivery delivery in Volatile.Read(ref _all))
        {
            action(delivery);
        }
    }
}
