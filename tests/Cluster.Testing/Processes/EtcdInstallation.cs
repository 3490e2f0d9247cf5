using System.Diagnostics;

namespace Cluster.Testing;

/// <summary>
/// Finds etcd on this machine, or installs Debian's <c>etcd-server</c>. The package brings a service along; where services run, it is stopped and
/// disabled: tests start their own.
/// </summary>
internal static class EtcdInstallation
{
    private const string Package = "etcd-server";

    private static readonly string[] Apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120"];
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly Lazy<Task<string>> Program = new(FindOrInstallAsync);

    /// <summary>The path of the program.</summary>
    /// <exception cref="InvalidOperationException">It is missing and cannot be installed; the message says why.</exception>
    public static Task<string> GetAsync() => Program.Value;

    private static async Task<string> FindOrInstallAsync()
    {
        if (Find("etcd") is { } found)
        {
            return found;
        }

        // Several test processes may find it missing at the same time.
        await using FileStream turn = await TakeTurnAsync();
        return Find("etcd") ?? await InstallAsync();
    }

    private static async Task<string> InstallAsync()
    {
        if (Find("apt-get") is null)
        {
            throw new InvalidOperationException("etcd is not on the PATH, and there is no apt-get to install it with: install etcd 3.4 or later");
        }

        string[] asRoot = Environment.IsPrivilegedProcess ? [] : Find("sudo") is not null ? ["sudo", "-n"] : throw new InvalidOperationException(
            $"etcd is not on the PATH, and only root can install it: run 'apt-get install {Package}'");

        // At run level 1, services are not started (invoke-rc.d).
        string[] install =
            [.. asRoot, "env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", .. Apt, "install", "-y", "--no-install-recommends", Package];
        if (!(await RunAsync(install)).Succeeded)
        {
            await RunAsync([.. asRoot, .. Apt, "update"]);
            (bool succeeded, string output) = await RunAsync(install);
            if (!succeeded)
            {
                throw new InvalidOperationException($"etcd is not on the PATH, and '{string.Join(' ', install)}' failed:\n{output}");
            }
        }

        if (Directory.Exists("/run/systemd/system"))
        {
            await RunAsync([.. asRoot, "systemctl", "disable", "--now", "etcd"]);
        }

        return Find("etcd") ?? throw new InvalidOperationException($"the package {Package} is installed, but there is no etcd on the PATH");
    }

    private static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Where(folder => folder.Length > 0)
        .Append("/usr/bin")
        .Select(folder => Path.Combine(folder, program))
        .FirstOrDefault(File.Exists);

    private static async Task<FileStream> TakeTurnAsync()
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(
                    Path.Combine(Path.GetTempPath(), "actorsampling-etcd-install.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(start) < Patience)
            {
                await Task.Delay(100);
            }
        }
    }

    private static async Task<(bool Succeeded, string Output)> RunAsync(string[] command)
    {
        ProcessStartInfo start = new(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        using CancellationTokenSource patience = new(Patience);
        Task<string> output = process.StandardOutput.ReadToEndAsync(patience.Token);
        Task<string> errors = process.StandardError.ReadToEndAsync(patience.Token);
        try
        {
            await process.WaitForExitAsync(patience.Token);
            return (process.ExitCode == 0, await output + await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"'{string.Join(' ', command)}' did not end within {Patience.TotalMinutes:0} minutes");
        }
    }
}
