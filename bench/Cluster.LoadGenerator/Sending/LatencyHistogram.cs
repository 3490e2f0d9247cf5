using System.Numerics;

namespace Cluster.LoadGenerator.Sending;

/// <summary>
/// Counts durations in buckets that are at most 1/64 wider than the durations in them, from 1 microsecond to 19 hours. Not thread-safe:
/// one a thread, merged at the end.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int SubBits = 6;
    private const int SubBuckets = 1 << SubBits;

    private readonly long[] _counts = new long[32 * SubBuckets];

    /// <summary>Durations counted.</summary>
    public long Count { get; private set; }

    /// <summary>The longest, microseconds.</summary>
    public long MaxMicroseconds { get; private set; }

    /// <summary>Counts one.</summary>
    public void Record(TimeSpan duration)
    {
        long microseconds = Math.Max(0, duration.Ticks / TimeSpan.TicksPerMicrosecond);
        _counts[Math.Min(Bucket(microseconds), _counts.Length - 1)]++;
        Count++;
        MaxMicroseconds = Math.Max(MaxMicroseconds, microseconds);
    }

    /// <summary>Adds all that another one counted.</summary>
    public void Add(LatencyHistogram other)
    {
        for (int i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        MaxMicroseconds = Math.Max(MaxMicroseconds, other.MaxMicroseconds);
    }

    /// <summary>The duration, milliseconds, that a share (0 to 1) of those counted does not exceed; 0 when none was counted.</summary>
    public double Milliseconds(double share)
    {
        long wanted = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted && Count > 0)
            {
                return Math.Min(UpperBound(i), MaxMicroseconds) / 1000.0;
            }
        }

        return 0;
    }

    // Below 64 every microsecond has its bucket; above, every power of two has 64.
    private static int Bucket(long value)
    {
        if (value < SubBuckets)
        {
            return (int)value;
        }

        int shift = BitOperations.Log2((ulong)value) - SubBits;
        return ((shift + 1) << SubBits) + (int)((value >> shift) - SubBuckets);
    }

    private static long UpperBound(int bucket)
    {
        if (bucket < SubBuckets)
        {
            return bucket;
        }

        int shift = (bucket >> SubBits) - 1;
        return ((SubBuckets + (bucket & (SubBuckets - 1)) + 1L) << shift) - 1;
    }
}
