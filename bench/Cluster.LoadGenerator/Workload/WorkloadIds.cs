using System.Runtime.CompilerServices;
using Cluster.Messages.Identity;

namespace Cluster.LoadGenerator.Workload;

/// <summary>
/// IDs that carry the truth. The trace ID is a bijection of the trace's number, so that no two are alike; the span ID says which span of
/// how many it is and why its trace must be kept, so that a recording back end can judge what it gets without being told anything.
/// </summary>
internal static class WorkloadIds
{
    /// <summary>Flag: one of the trace's spans has status ERROR.</summary>
    public const byte ErrorFlag = 1;

    /// <summary>Flag: the trace takes longer than 500 ms.</summary>
    public const byte SlowFlag = 2;

    /// <summary>Flag: the root's <c>http.route</c> is the one that a policy keeps.</summary>
    public const byte RouteFlag = 4;

    /// <summary>Byte 3 of every span ID.</summary>
    public const byte Marker = 0xA5;

    private const ulong LowSalt = 0xD1B54A32D192ED03UL;

    /// <summary>The ID of trace number <paramref name="number"/> of a run with the given seed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TraceId Trace(ulong seed, ulong number)
    {
        ulong high = SplitMix64.Mix((seed << 40) + number * SplitMix64.Golden);
        return new TraceId(high, Low(high));
    }

    /// <summary>True when the second half of the ID is what the generator makes of the first.</summary>
    public static bool IsOurs(TraceId id) => id.Low == Low(id.High);

    /// <summary>The first four bytes of a span ID, as a big-endian number.</summary>
    public static uint SpanHead(int index, int count, byte flags) =>
        ((uint)index << 24) | ((uint)count << 16) | ((uint)flags << 8) | Marker;

    /// <summary>The last four bytes of every span ID of a trace, as a big-endian number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint SpanTail(TraceId id) => (uint)id.Low;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Low(ulong high) => SplitMix64.Mix(high ^ LowSalt);
}
