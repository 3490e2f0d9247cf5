namespace Cluster.LoadGenerator.Workload;

/// <summary>What sort of work a span stands for; it decides kind, name and attributes.</summary>
internal enum SpanRole
{
    Server,
    HttpClient,
    DatabaseClient,
    Internal,
}

/// <summary>One span of a <see cref="TraceShape"/>.</summary>
/// <param name="Service">Index of its service, 0 to 11.</param>
/// <param name="Parent">Index of its parent in the trace; -1 for the root.</param>
/// <param name="Role">Its sort of work.</param>
/// <param name="StartNano">Nanoseconds from the start of the trace.</param>
/// <param name="DurationNano">Nanoseconds; start + duration never exceed the root's.</param>
/// <param name="IsError">Status ERROR and an exception event.</param>
internal readonly record struct SpanShape(int Service, int Parent, SpanRole Role, long StartNano, long DurationNano, bool IsError);

/// <summary>A trace without IDs and times of day: the random part of the workload.</summary>
internal sealed class TraceShape
{
    /// <summary>Services there are.</summary>
    public const int ServiceCount = 12;

    /// <summary>Traces longer than this are slow.</summary>
    public const long SlowNano = 500_000_000;

    private TraceShape(SpanShape[] spans, bool matchesRoute, int serviceCount)
    {
        Spans = spans;
        MatchesRoute = matchesRoute;
        Services = serviceCount;
        int flags = Array.Exists(spans, span => span.IsError) ? WorkloadIds.ErrorFlag : 0;
        flags |= spans[0].DurationNano > SlowNano ? WorkloadIds.SlowFlag : 0;
        flags |= matchesRoute ? WorkloadIds.RouteFlag : 0;
        Flags = (byte)flags;
    }

    /// <summary>The spans; the first is the root, parents come before their children.</summary>
    public SpanShape[] Spans { get; }

    /// <summary>Services that take part.</summary>
    public int Services { get; }

    /// <summary>The root's route is the one that a policy keeps.</summary>
    public bool MatchesRoute { get; }

    /// <summary><see cref="WorkloadIds"/>' flags: why the trace must be kept, 0 when it need not.</summary>
    public byte Flags { get; }

    /// <summary>Draws a trace.</summary>
    public static TraceShape Draw(SplitMix64 random)
    {
        int spanCount = 8 + random.Below(13);
        int serviceCount = 4 + random.Below(3);
        int[] services = [.. Enumerable.Range(0, ServiceCount)];
        random.Shuffle<int>(services);

        int error = random.Chance(0.01) ? random.Below(spanCount) : -1;
        bool matchesRoute = random.Chance(0.03);
        long rootDuration = DrawRootDuration(random);

        var spans = new SpanShape[spanCount];
        spans[0] = new SpanShape(services[0], -1, SpanRole.Server, 0, rootDuration, error == 0);
        for (int i = 1; i < spanCount; i++)
        {
            int parent = random.Below(Math.Min(i, 6));
            int service = i < serviceCount ? services[i] : services[random.Below(serviceCount)];
            SpanRole role = i < serviceCount ? SpanRole.Server : (SpanRole)(1 + random.Below(3));

            // Inside the parent, so that the trace takes as long as its root.
            long room = spans[parent].DurationNano;
            long duration = (long)(room * (0.05 + 0.75 * random.NextDouble()));
            long start = spans[parent].StartNano + (long)((room - duration) * random.NextDouble());
            spans[i] = new SpanShape(service, parent, role, start, duration, error == i);
        }

        return new TraceShape(spans, matchesRoute, serviceCount);
    }

    private static long DrawRootDuration(SplitMix64 random)
    {
        while (true)
        {
            double milliseconds = random.Chance(0.02)
                ? 600 + 2400 * random.NextDouble()
                : 40 * Math.Exp(0.8 * random.NextGaussian());

            // Nothing near the threshold: the truth must not hang on a rounding.
            if (milliseconds is < 495 or > 505)
            {
                return (long)(milliseconds * 1e6);
            }
        }
    }
}
