namespace Cluster.Sampling.Decisions;

/// <summary>
/// Token buckets in this process's memory: each starts full, refills continuously and never holds more than its burst, so that no stretch
/// of <c>t</c> seconds grants more than <c>rate * t + burst</c>. Counted in whole millionths of a unit: nothing is rounded away
/// or in over time, for rates of up to three decimals. Thread-safe; time may come slightly out of order from different threads.
/// </summary>
public sealed class TokenBuckets : IBudgets
{
    private const long Micro = 1_000_000;
    private const double MaximumUnits = 9e12;

    private readonly Bucket[] _buckets;

    /// <summary>Full buckets.</summary>
    /// <param name="budgets">One bucket each; <c>PolicySet.Budgets</c>.</param>
    public TokenBuckets(IReadOnlyList<Budget> budgets) => _buckets = [.. budgets.Select(b => new Bucket(b))];

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The amount is negative, or there is no such budget.</exception>
    public bool CanTake(int budget, long amount, long nowMilliseconds) => Ask(budget, amount, nowMilliseconds, take: false);

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">The amount is negative, or there is no such budget.</exception>
    public bool TryTake(int budget, long amount, long nowMilliseconds) => Ask(budget, amount, nowMilliseconds, take: true);

    private bool Ask(int budget, long amount, long nowMilliseconds, bool take)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(amount);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)budget, (uint)_buckets.Length, nameof(budget));
        return _buckets[budget].Ask(amount, nowMilliseconds, take);
    }

    private sealed class Bucket
    {
        private readonly Lock _lock = new();
        private readonly long _capacity;
        private readonly long _perMillisecond;
        private long _tokens;
        private long _refilledAt = long.MinValue;

        public Bucket(Budget budget)
        {
            _capacity = (long)(Math.Clamp(budget.Burst, 0, MaximumUnits) * Micro);
            // Rounding down keeps the promise; the epsilon keeps 0.3 from becoming 0.299.
            _perMillisecond = (long)(Math.Clamp(budget.PerSecond, 0, MaximumUnits) * (Micro / 1000) + 1e-6);
            _tokens = _capacity;
        }

        public bool Ask(long amount, long now, bool take)
        {
            lock (_lock)
            {
                Refill(now);
                if (amount > _capacity / Micro || amount * Micro > _tokens)
                {
                    return false;
                }

                _tokens -= take ? amount * Micro : 0;
                return true;
            }
        }

        private void Refill(long now)
        {
            if (_refilledAt == long.MinValue)
            {
                _refilledAt = now;
            }

            if (now <= _refilledAt)
            {
                return;
            }

            Int128 tokens = _tokens + ((Int128)now - _refilledAt) * _perMillisecond;
            _tokens = tokens < _capacity ? (long)tokens : _capacity;
            _refilledAt = now;
        }
    }
}
