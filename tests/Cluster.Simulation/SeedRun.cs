namespace Cluster.Simulation;

/// <summary>Runs seeds side by side.</summary>
internal sealed class SeedRun
{
    /// <summary>A seed that takes longer, milliseconds, never ends.</summary>
    private const long Patience = 30_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Thread, (SimOptions Options, long Since)> _running = [];
    private readonly SortedDictionary<string, long> _totals = [];

    /// <summary>What happened in all of them, in numbers.</summary>
    public string Totals => string.Join(", ", _totals.Select(pair => $"{pair.Value} {pair.Key}"));

    /// <summary>Runs seeds in order, as many at once as there are cores.</summary>
    /// <param name="first">The first seed.</param>
    /// <param name="count">How many.</param>
    /// <param name="options">What a seed means.</param>
    /// <param name="stopAfter">No further seed is begun when so many failed.</param>
    /// <param name="progress">Called after each, with how many are done.</param>
    /// <returns>Those that failed, in order of seeds.</returns>
    public IReadOnlyList<SimResult> Run(ulong first, ulong count, Func<ulong, SimOptions> options, int stopAfter, Action<long>? progress = null)
    {
        List<SimResult> failed = [];
        ulong next = first;
        long done = 0;
        Thread[] threads = new Thread[Math.Max(1, Environment.ProcessorCount)];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work) { IsBackground = true };
            threads[i].Start();
        }

        foreach (Thread thread in threads)
        {
            while (!thread.Join(1000) && !Hangs(thread))
            {
            }
        }

        failed.Sort((a, b) => a.Options.Seed.CompareTo(b.Options.Seed));
        return failed;

        // A thread in an endless loop cannot be ended; it is left alone.
        bool Hangs(Thread thread)
        {
            lock (_lock)
            {
                if (!_running.TryGetValue(thread, out (SimOptions Options, long Since) run) || Environment.TickCount64 - run.Since < Patience)
                {
                    return false;
                }

                failed.Add(new SimResult(run.Options, "hangs", "hang", "", new Dictionary<string, long>(), []));
                return true;
            }
        }

        void Work()
        {
            while (true)
            {
                ulong seed;
                SimOptions simulated;
                lock (_lock)
                {
                    if (next - first >= count || failed.Count >= stopAfter)
                    {
                        return;
                    }

                    seed = next++;
                    simulated = options(seed);
                    _running[Thread.CurrentThread] = (simulated, Environment.TickCount64);
                }

                SimResult result = SimResult.Of(simulated);
                lock (_lock)
                {
                    done++;
                    _running.Remove(Thread.CurrentThread);
                    foreach ((string fact, long value) in result.Facts)
                    {
                        _totals[fact] = _totals.GetValueOrDefault(fact) + value;
                    }

                    if (result.Violation is not null)
                    {
                        failed.Add(result);
                    }

                    progress?.Invoke(done);
                }
            }
        }
    }
}
