using System.Globalization;
using System.Runtime.InteropServices;

namespace Cluster.LoadGenerator.Measuring;

/// <summary>Moves this process, all threads it has and will have, to one processor. Linux only.</summary>
internal static partial class ProcessorPinning
{
    /// <summary>Pins to processor number <paramref name="processor"/>, 0 to 63.</summary>
    /// <exception cref="InvalidOperationException">The kernel refused.</exception>
    public static void Pin(int processor)
    {
        ulong mask = 1UL << processor;
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            // A thread that has ended since is no fault; new ones inherit from those that make them.
            int id = int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture);
            if (SetAffinity(id, sizeof(ulong), in mask) != 0 && Marshal.GetLastPInvokeError() != 3)
            {
                throw new InvalidOperationException($"cannot run on processor {processor} only: error {Marshal.GetLastPInvokeError()}");
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity", SetLastError = true)]
    private static partial int SetAffinity(int threadId, nuint size, in ulong mask);
}
