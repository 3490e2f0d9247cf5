using System.Globalization;

namespace Cluster.LoadGenerator.Measuring;

/// <summary>Another process as Linux's <c>/proc</c> shows it.</summary>
/// <param name="pid">Its ID.</param>
internal sealed class ObservedProcess(int pid)
{
    private const double TicksPerSecond = 100;

    /// <summary>User plus system time of all its threads so far, seconds, in steps of 10 ms.</summary>
    public double CpuSeconds()
    {
        string stat = File.ReadAllText($"/proc/{pid}/stat");

        // The second field, the command, is in parentheses and may hold anything; utime and stime are the 14th and 15th.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (Number(fields[11]) + Number(fields[12])) / TicksPerSecond;
    }

    /// <summary>Resident memory, bytes.</summary>
    public long ResidentBytes() => Number(File.ReadAllText($"/proc/{pid}/statm").Split(' ')[1]) * Environment.SystemPageSize;

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
