using System.Runtime.InteropServices;

namespace Cluster.Sharding.Log;

/// <summary>
/// Memory from the operating system in pages, and back to it at once. The C library's allocator keeps what is freed in the middle of its heaps, so that a
/// process would stay as large as it ever was. Thread-safe.
/// </summary>
internal static unsafe partial class NativePages
{
    private const int ReadWrite = 0x1 | 0x2;
    private const int PrivateAnonymous = 0x02 | 0x20;
    private const nint Failed = -1;

    /// <summary>Allocates memory, aligned to a page.</summary>
    /// <exception cref="InsufficientMemoryException">The system has none left.</exception>
    public static nint Allocate(int length)
    {
        if (!OperatingSystem.IsLinux())
        {
            return (nint)NativeMemory.AlignedAlloc((nuint)length, 4096);
        }

        nint memory = Map(0, (nuint)length, ReadWrite, PrivateAnonymous, -1, 0);
        return memory != Failed ? memory : throw new InsufficientMemoryException();
    }

    /// <summary>Gives it back.</summary>
    public static void Free(nint memory, int length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Unmap(memory, (nuint)length);
        }
        else
        {
            NativeMemory.AlignedFree((void*)memory);
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint length);
}
