namespace Cluster.Simulation.Engine;

/// <summary>
/// Numbers from a seed, the same on every machine and in every release: xoshiro256** (<see href="https://prng.di.unimi.it/"/>), begun by
/// splitmix64. Each part of a simulation has one of its own, so that a change of one part leaves what the others draw alone.
/// </summary>
internal sealed class SimRandom
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;

    /// <summary>Numbers of a seed, for one purpose.</summary>
    public SimRandom(ulong seed, ulong purpose = 0)
    {
        ulong state = seed ^ (purpose * 0xD1342543DE82EF95UL);
        _a = Split(ref state);
        _b = Split(ref state);
        _c = Split(ref state);
        _d = Split(ref state);
    }

    /// <summary>Any 64 bits.</summary>
    public ulong NextBits()
    {
        ulong result = ulong.RotateLeft(_b * 5, 7) * 9;
        ulong t = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= t;
        _d = ulong.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => (int)Math.BigMul(NextBits(), (ulong)bound, out _);

    /// <summary>A number between two, both included.</summary>
    public long Between(long least, long most) => least + (long)Math.BigMul(NextBits(), (ulong)(most - least + 1), out _);

    /// <summary>A number from 0 to below 1.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>True in <paramref name="percent"/> of a hundred times.</summary>
    public bool Chance(double percent) => NextDouble() * 100 < percent;

    /// <summary>Mostly near <paramref name="usual"/>, seldom many times as much: as delays are.</summary>
    public long Delay(long usual)
    {
        double tail = NextDouble();
        return (long)(usual * (0.25 + NextDouble() + (tail > 0.98 ? 20 * NextDouble() : tail > 0.9 ? 3 * NextDouble() : 0)));
    }

    /// <summary>One of several.</summary>
    public T Pick<T>(IReadOnlyList<T> of) => of[Below(of.Count)];

    private static ulong Split(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
