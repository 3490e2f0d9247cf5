using System.Runtime.InteropServices;

namespace Cluster.Messages.Transport;

/// <summary>
/// Payloads of <see cref="PeerMessageKind.BudgetDemand"/> and <see cref="PeerMessageKind.BudgetGrant"/>: nothing but entries, one a budget,
/// little-endian. The header's <c>Id</c> numbers the demands of a node, from 1; a grant has that of the demand that it answers.
/// </summary>
public static class BudgetMessages
{
    /// <summary>Entries of a payload at most.</summary>
    public const int MaximumEntries = 1024;

    /// <summary>Units that an entry may speak of at most, but for <see cref="BudgetDemand.Spent"/>.</summary>
    public const long MaximumUnits = 9_000_000_000_000;

    /// <summary>
    /// Names a budget on the wire: nodes with different policies must not draw on each other's. FNV-1a, 64 bits.
    /// </summary>
    /// <param name="policy">Full name of the policy that owns it.</param>
    /// <param name="perSecond">Its rate.</param>
    /// <param name="burst">Its burst.</param>
    /// <param name="ordinal">0; 1, 2, ... for further budgets with the same name and numbers.</param>
    public static ulong Key(string policy, double perSecond, double burst, int ordinal = 0)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in policy)
        {
            hash = Mix(hash, c, bytes: 2);
        }

        hash = Mix(hash, BitConverter.DoubleToUInt64Bits(perSecond), bytes: 8);
        hash = Mix(hash, BitConverter.DoubleToUInt64Bits(burst), bytes: 8);
        return Mix(hash, (uint)ordinal, bytes: 4);
    }

    /// <summary>The entries of a demand, where they lie.</summary>
    /// <returns>False when these bytes are none: not of whole entries, too many, or numbers out of their ranges.</returns>
    public static bool TryRead(ReadOnlySpan<byte> payload, out ReadOnlySpan<BudgetDemand> entries)
    {
        entries = default;
        if (!HasEntries(payload, BudgetDemand.Size))
        {
            return false;
        }

        ReadOnlySpan<BudgetDemand> read = MemoryMarshal.Cast<byte, BudgetDemand>(payload);
        foreach (ref readonly BudgetDemand entry in read)
        {
            if (entry.Spent < 0 || !IsUnits(entry.Held) || !IsUnits(entry.Wanted) || !IsUnits(entry.Least))
            {
                return false;
            }
        }

        entries = read;
        return true;
    }

    /// <summary>The entries of a grant, where they lie.</summary>
    /// <returns>False when these bytes are none: not of whole entries, too many, or numbers out of their ranges.</returns>
    public static bool TryRead(ReadOnlySpan<byte> payload, out ReadOnlySpan<BudgetGrant> entries)
    {
        entries = default;
        if (!HasEntries(payload, BudgetGrant.Size))
        {
            return false;
        }

        ReadOnlySpan<BudgetGrant> read = MemoryMarshal.Cast<byte, BudgetGrant>(payload);
        foreach (ref readonly BudgetGrant entry in read)
        {
            if (!IsUnits(entry.Lease) || !IsUnits(entry.Left))
            {
                return false;
            }
        }

        entries = read;
        return true;
    }

    private static bool HasEntries(ReadOnlySpan<byte> payload, int size) =>
        payload.Length % size == 0 && payload.Length / size is > 0 and <= MaximumEntries;

    private static bool IsUnits(long units) => units is >= 0 and <= MaximumUnits;

    private static ulong Mix(ulong hash, ulong value, int bytes)
    {
        for (int i = 0; i < bytes; i++)
        {
            hash = (hash ^ (byte)(value >> (8 * i))) * 0x100000001B3;
        }

        return hash;
    }
}

/// <summary>What a node says of one budget: what it has, and what it would like to have.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BudgetDemand
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 40;

    /// <summary><see cref="BudgetMessages.Key"/>.</summary>
    public ulong Key;

    /// <summary>Units that it has taken since it started.</summary>
    public long Spent;

    /// <summary>Units of its lease that it still holds. What it does not hold and has not spent, it has given up.</summary>
    public long Held;

    /// <summary>Units that it would like to hold, those included.</summary>
    public long Wanted;

    /// <summary>Holding less than this would be of no use.</summary>
    public long Least;
}

/// <summary>What the coordinator answers for one budget.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct BudgetGrant
{
    /// <summary>Bytes of an entry.</summary>
    public const int Size = 24;

    /// <summary><see cref="BudgetMessages.Key"/>.</summary>
    public ulong Key;

    /// <summary>Units that the node holds from now on, as of its demand: what it has spent since is to be taken off.</summary>
    public long Lease;

    /// <summary>Units that are left for anybody.</summary>
    public long Left;
}
