using System.Runtime.CompilerServices;

namespace Cluster.Messages.Identity;

/// <summary>
/// Hashes for tables inside one process. Clients choose trace and span IDs, so a hash that they know would let them put all of
/// theirs into one bucket; this one is keyed with a secret. Never for anything that two processes must agree on.
/// </summary>
/// <param name="secret">Random, and told to nobody; fixed in tests and simulations.</param>
public readonly struct TraceIdHasher(ulong secret)
{
    private readonly ulong _a = (secret ^ 0xA0761D6478BD642FUL) | 1;
    private readonly ulong _b = (secret * 0xE7037ED1A0B428DBUL) ^ 0x8EBC6AF09C88C6E3UL;

    /// <summary>Hash of a trace ID.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Hash(TraceId traceId) => Fold(traceId.High ^ _a, traceId.Low ^ _b);

    /// <summary>Hash of any 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Hash(ulong value) => Fold(value ^ _a, _b);

    /// <summary>64 bits of hash of any 128.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Hash64(ulong first, ulong second)
    {
        ulong high = Math.BigMul(first ^ _a, second ^ _b, out ulong low);
        return high ^ low;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Fold(ulong x, ulong y)
    {
        // Twice, since one factor of a single multiplication can be made zero by who guesses half of the secret.
        ulong high = Math.BigMul(x, y, out ulong low);
        ulong folded = (high ^ low) * 0x9E3779B97F4A7C15UL;
        return (uint)(folded >> 32);
    }
}
