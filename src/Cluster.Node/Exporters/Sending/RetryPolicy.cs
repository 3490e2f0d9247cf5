namespace Cluster.Node.Exporters.Sending;

/// <summary>
/// When to try again: exponential back-off with jitter (<see cref="RetryOptions"/>), never sooner than the receiver asks. Pure.
/// OTLP asks for exactly this: <see href="https://opentelemetry.io/docs/specs/otlp/#failures"/>.
/// </summary>
internal static class RetryPolicy
{
    /// <summary>A receiver that asks for more is asked again after this: a wrong number must not park traces for a day.</summary>
    public static readonly TimeSpan LongestRequestedDelay = TimeSpan.FromMinutes(10);

    /// <summary>The longest back-off while the process is ending and every second counts.</summary>
    public static readonly TimeSpan DrainInterval = TimeSpan.FromSeconds(1);

    private const int MaxExponent = 64;

    /// <summary>The time to wait before the next attempt, or null to give up.</summary>
    /// <param name="options">The exporter's <c>retry_on_failure</c>.</param>
    /// <param name="outcome">What came of the last attempt; its verdict is <see cref="ExportVerdict.Retry"/>.</param>
    /// <param name="attempt">Attempts made so far, from 1.</param>
    /// <param name="elapsed">Time since the first of them began.</param>
    /// <param name="sample">A random number, 0 to 1.</param>
    public static TimeSpan? Next(RetryOptions options, in ExportOutcome outcome, int attempt, TimeSpan elapsed, double sample)
    {
        if (!options.Enabled || outcome.Verdict != ExportVerdict.Retry)
        {
            return null;
        }

        double growth = Math.Pow(Math.Max(options.Multiplier, 1), Math.Min(attempt - 1, MaxExponent));
        double interval = Math.Min(options.InitialInterval.TotalMilliseconds * growth, options.MaxInterval.TotalMilliseconds);
        double jitter = 1 + options.RandomizationFactor * (2 * sample - 1);
        TimeSpan delay = TimeSpan.FromMilliseconds(Math.Max(interval * jitter, 0));
        if (outcome.MinimumDelay is { } asked && asked > delay)
        {
            delay = asked < LongestRequestedDelay ? asked : LongestRequestedDelay;
        }

        return options.MaxElapsedTime > TimeSpan.Zero && elapsed + delay > options.MaxElapsedTime ? null : delay;
    }

    /// <summary>The same options with their intervals cut down to <see cref="DrainInterval"/>.</summary>
    public static RetryOptions ForDrain(RetryOptions options) => options with
    {
        InitialInterval = Shorter(options.InitialInterval, DrainInterval),
        MaxInterval = Shorter(options.MaxInterval, DrainInterval),
    };

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
