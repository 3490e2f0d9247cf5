using System.Buffers.Text;
using System.Diagnostics;

namespace Cluster.Node.Telemetry;

/// <summary>What the process costs, now.</summary>
public sealed record ProcessSnapshot
{
    /// <summary>User and system CPU time since start.</summary>
    public TimeSpan CpuTime { get; init; }

    /// <summary>Resident memory, in bytes.</summary>
    public long ResidentBytes { get; init; }

    /// <summary>When the process started.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>Bytes of the managed heap in use.</summary>
    public long HeapBytes { get; init; }

    /// <summary>Time all threads stood still for garbage collection since start.</summary>
    public TimeSpan GcPause { get; init; }

    /// <summary>Garbage collections since start, by generation (0 to 2), each counted in its own generation only.</summary>
    public IReadOnlyList<long> GcCollections { get; init; } = [0, 0, 0];

    /// <summary>Bytes allocated on the managed heap since start.</summary>
    public long AllocatedBytes { get; init; }
}

/// <summary>Asks the runtime and, on Linux, <c>/proc/self/statm</c>. Thread-safe.</summary>
public sealed class ProcessInspection
{
    private readonly DateTimeOffset _startedAt = ReadStart();

    /// <summary>Now; reads one small file on Linux.</summary>
    public ProcessSnapshot Snapshot()
    {
        // CollectionCount(n) counts collections of n and of every older generation.
        long gen0 = GC.CollectionCount(0);
        long gen1 = GC.CollectionCount(1);
        long gen2 = GC.CollectionCount(2);
        return new ProcessSnapshot
        {
            CpuTime = Environment.CpuUsage.TotalTime,
            ResidentBytes = ReadResident(),
            StartedAt = _startedAt,
            HeapBytes = GC.GetTotalMemory(forceFullCollection: false),
            GcPause = GC.GetTotalPauseDuration(),
            GcCollections = [gen0 - gen1, gen1 - gen2, gen2],
            AllocatedBytes = GC.GetTotalAllocatedBytes(precise: false),
        };
    }

    /// <summary>The second number of <c>statm</c>: resident pages. -1 when it is not there.</summary>
    internal static long ParseResidentPages(ReadOnlySpan<byte> statm)
    {
        int space = statm.IndexOf((byte)' ');
        return space >= 0 && Utf8Parser.TryParse(statm[(space + 1)..], out long pages, out _) ? pages : -1;
    }

    private static long ReadResident()
    {
        if (OperatingSystem.IsLinux())
        {
            try
            {
                using FileStream file = new("/proc/self/statm", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
                Span<byte> bytes = stackalloc byte[128];
                long pages = ParseResidentPages(bytes[..file.Read(bytes)]);
                if (pages >= 0)
                {
                    return pages * Environment.SystemPageSize;
                }
            }
            catch (IOException)
            {
                // No /proc in this sandbox: ask the runtime instead.
            }
        }

        return Environment.WorkingSet;
    }

    private static DateTimeOffset ReadStart()
    {
        using Process process = Process.GetCurrentProcess();
        return process.StartTime.ToUniversalTime();
    }
}
