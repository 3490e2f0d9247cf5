using System.Globalization;
using System.Numerics;
using System.Text;
using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>
/// <c>probabilistic</c>: keeps a share of all traces, by a hash of salt and trace ID alone: 64-bit FNV-1a
/// (<see href="https://datatracker.ietf.org/doc/html/draft-eastlake-fnv"/>), the same as a Collector's.
/// </summary>
internal sealed class ProbabilisticPolicy(double percentage, string salt) : Policy
{
    private const string DefaultSalt = "default-hash-seed";
    private const ulong OffsetBasis = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    private readonly ulong _saltHash = Hash(OffsetBasis, Encoding.UTF8.GetBytes(salt));
    private readonly ulong _threshold = Threshold(percentage);

    public static Policy Read(PolicyConfiguration configuration)
    {
        double percentage = configuration.Block.Double("sampling_percentage", 0);
        string salt = configuration.Block.String("hash_salt", "") ?? "";
        if (percentage is <= 0 or > 100)
        {
            configuration.Block.Warning(
                "sampling_percentage",
                string.Create(CultureInfo.InvariantCulture, $"{percentage} % keeps {(percentage > 100 ? "every" : "no")} trace"),
                "use a number above 0, up to 100");
        }

        return new ProbabilisticPolicy(percentage, salt.Length == 0 ? DefaultSalt : salt)
        {
            Name = configuration.Name,
            Type = configuration.Type,
        };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) => Hash(trace.TraceId) <= _threshold;

    public override string Reason(in TraceEvidence trace, bool matched) => string.Create(
        CultureInfo.InvariantCulture,
        $"the trace ID hashes to {Share(Hash(trace.TraceId)):0.####} %, {(matched ? "within" : "above")} sampling_percentage {percentage}");

    /// <summary>The largest hash that is kept: <c>percentage / 100 * (2^64 - 1)</c> in 64 significant bits, rounded down.</summary>
    internal static ulong Threshold(double percentage)
    {
        double ratio = percentage / 100;
        if (ratio >= 1)
        {
            return ulong.MaxValue;
        }

        if (!(ratio > 0))
        {
            return 0;
        }

        // ratio = significand * 2^exponent, exactly.
        long bits = BitConverter.DoubleToInt64Bits(ratio);
        int biased = (int)(bits >> 52) & 0x7FF;
        BigInteger significand = (bits & 0xFFFFFFFFFFFFF) | (biased == 0 ? 0 : 1L << 52);
        int exponent = Math.Max(biased, 1) - 1075;
        BigInteger product = significand * ulong.MaxValue;
        int surplus = (int)product.GetBitLength() - 64;
        if (surplus > 0)
        {
            // To 64 bits, half to even, as a multiplication of Go's big floats of that precision does.
            BigInteger half = BigInteger.One << (surplus - 1);
            BigInteger rest = product & ((half << 1) - 1);
            product >>= surplus;
            exponent += surplus;
            product += rest > half || (rest == half && !product.IsEven) ? 1 : 0;
        }

        BigInteger threshold = exponent >= 0 ? product << exponent : product >> -exponent;
        return threshold >= ulong.MaxValue ? ulong.MaxValue : (ulong)threshold;
    }

    private ulong Hash(TraceId id)
    {
        Span<byte> bytes = stackalloc byte[TraceId.Size];
        id.Write(bytes);
        return Hash(_saltHash, bytes);
    }

    private static ulong Hash(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            hash = (hash ^ b) * Prime;
        }

        return hash;
    }

    private static double Share(ulong hash) => hash / 18446744073709551616.0 * 100;
}
