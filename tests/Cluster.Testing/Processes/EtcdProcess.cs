using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Cluster.Testing;

/// <summary>
/// An etcd of one member in a process of its own, on free ports of this machine, with its data in a temporary folder. It is installed when it is
/// missing. Its shortest lease lasts 1 s. Used by one caller at a time; disposing of it kills it.
/// </summary>
public sealed partial class EtcdProcess : IAsyncDisposable
{
    private const int SigTerm = 15;
    private const int SigContinue = 18;
    private const int SigStop = 19;
    private const int OutputLimit = 64 << 10;
    private const int FirstPort = 20_000;
    private const int PortCount = 12_000;

    /// <summary>Longest time that a start or a stop may take, on a busy machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };

    private static int _lastPort = Random.Shared.Next(PortCount);

    private readonly string _program;
    private readonly string _folder = Directory.CreateTempSubdirectory("actorsampling-etcd-").FullName;
    private readonly EtcdTls? _tls;
    private readonly IPAddress _address;
    private readonly StringBuilder _output = new();
    private Uri _health = null!;
    private Uri _peer = null!;
    private Process? _process;

    private EtcdProcess(string program, EtcdTls? tls, IPAddress address)
    {
        _program = program;
        _tls = tls;
        _address = address;
    }

    /// <summary>Where clients find it; the same after a restart.</summary>
    public Uri Endpoint { get; private set; } = null!;

    /// <summary>The end of what it wrote.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>An etcd that answers.</summary>
    /// <param name="tls">Clients must come over TLS, with a certificate.</param>
    /// <param name="address">Where clients find it; loopback if null.</param>
    /// <exception cref="InvalidOperationException">It cannot be installed or does not start; the message says why.</exception>
    public static async Task<EtcdProcess> StartAsync(EtcdTls? tls = null, IPAddress? address = null)
    {
        EtcdProcess etcd = new(await EtcdInstallation.GetAsync(), tls, address ?? IPAddress.Loopback);
        try
        {
            for (int attempt = 1; ; attempt++)
            {
                int[] ports = FreePorts(3);
                etcd.Endpoint = new Uri($"{(tls is null ? "http" : "https")}://{etcd._address}:{ports[0]}");
                etcd._peer = new Uri($"http://127.0.0.1:{ports[1]}");
                etcd._health = new Uri($"http://127.0.0.1:{ports[2]}");
                try
                {
                    await etcd.RestartAsync();
                    return etcd;
                }
                catch (InvalidOperationException) when (attempt < 3 && etcd.Output.Contains("address already in use", StringComparison.Ordinal))
                {
                    // Somebody else was quicker.
                }
            }
        }
        catch
        {
            await etcd.DisposeAsync();
            throw;
        }
    }

    /// <summary>A port of this machine that nobody listens on.</summary>
    public static int FreePort() => FreePorts(1)[0];

    /// <summary>
    /// As many ports of this machine, all different, that nobody listens on. They are below those that systems give to who asks for any
    /// (32768 and up on Linux): between this and their use nobody else gets one by chance.
    /// </summary>
    public static int[] FreePorts(int count)
    {
        int[] ports = new int[count];
        for (int found = 0; found < count;)
        {
            int port = FirstPort + (int)((uint)Interlocked.Increment(ref _lastPort) % PortCount);
            try
            {
                using TcpListener listener = new(IPAddress.Any, port);
                listener.Start();
                ports[found++] = port;
            }
            catch (SocketException)
            {
                // Somebody's.
            }
        }

        return ports;
    }

    /// <summary>Starts it again after <see cref="StopAsync"/> or <see cref="KillAsync"/>, with its ports and its data.</summary>
    public async Task RestartAsync()
    {
        ProcessStartInfo start = new(_program)
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Dictionary<string, string> flags = new()
        {
            ["name"] = "test",
            ["data-dir"] = Path.Combine(_folder, "data"),
            ["listen-client-urls"] = Address(Endpoint),
            ["advertise-client-urls"] = Address(Endpoint),
            ["listen-peer-urls"] = Address(_peer),
            ["initial-advertise-peer-urls"] = Address(_peer),
            ["initial-cluster"] = $"test={Address(_peer)}",
            ["listen-metrics-urls"] = Address(_health),
            ["logger"] = "zap",
            ["log-level"] = "warn",

            // The shortest lease is one and a half election timeouts, in whole seconds.
            ["heartbeat-interval"] = "20",
            ["election-timeout"] = "200",
            ["unsafe-no-fsync"] = "true",
        };
        if (_tls is not null)
        {
            flags["cert-file"] = _tls.CertFile;
            flags["key-file"] = _tls.KeyFile;
            flags["trusted-ca-file"] = _tls.CaFile;
            flags["client-cert-auth"] = "true";
        }

        foreach (KeyValuePair<string, string> flag in flags)
        {
            start.ArgumentList.Add($"--{flag.Key}={flag.Value}");
        }

        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            start.Environment["ETCD_UNSUPPORTED_ARCH"] = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        }

        _process?.Dispose();
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await WaitUntilHealthyAsync(_process);
    }

    /// <summary>Sends SIGTERM, and waits until it is gone.</summary>
    public async Task StopAsync()
    {
        Signal(SigTerm);
        await EndedAsync();
    }

    /// <summary>Sends SIGKILL, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await EndedAsync();
        }
    }

    /// <summary>SIGSTOP: its connections stay, but nobody answers.</summary>
    public async Task PauseAsync()
    {
        // The kernel stops one thread after the other.
        Signal(SigStop);
        while (!IsStopped())
        {
            await Task.Delay(1);
        }
    }

    /// <summary>SIGCONT: it goes on after <see cref="PauseAsync"/>.</summary>
    public void Continue() => Signal(SigContinue);

    /// <summary>Posts JSON to it, over its clear-text door, and returns its answer.</summary>
    /// <exception cref="InvalidOperationException">It refused.</exception>
    public async Task<string> PostAsync(string path, string json)
    {
        using StringContent content = new(json, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await Http.PostAsync(new Uri(Endpoint, path), content);
        string answer = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? answer : throw new InvalidOperationException($"etcd refused {path} {json}: {answer}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Address(Uri uri) => uri.GetLeftPart(UriPartial.Authority);

    private async Task WaitUntilHealthyAsync(Process process)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            if (process.HasExited)
            {
                await process.WaitForExitAsync(); // Also until what it wrote last is read.
                throw new InvalidOperationException($"etcd ended with code {process.ExitCode}; it wrote:\n{Output}");
            }

            try
            {
                if ((await Http.GetStringAsync(new Uri(_health, "/health"))).Contains("true", StringComparison.Ordinal))
                {
                    return;
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
            {
                // Not yet.
            }

            if (Stopwatch.GetElapsedTime(start) > Patience)
            {
                throw new InvalidOperationException($"etcd did not answer within {Patience.TotalSeconds:0} s; it wrote:\n{Output}");
            }

            await Task.Delay(20);
        }
    }

    private bool IsStopped()
    {
        try
        {
            // PID (NAME) STATE ...
            return Directory.EnumerateDirectories($"/proc/{_process!.Id}/task")
                .Select(thread => File.ReadAllText(Path.Combine(thread, "stat")))
                .All(stat => stat[(stat.LastIndexOf(')') + 2)..].StartsWith('T'));
        }
        catch (IOException)
        {
            // A thread that has just ended.
            return false;
        }
    }

    private void Signal(int signal)
    {
        if (_process is not { HasExited: false } || Kill(_process.Id, signal) != 0)
        {
            throw new InvalidOperationException($"etcd is not running; it wrote:\n{Output}");
        }
    }

    private async Task EndedAsync()
    {
        using CancellationTokenSource patience = new(Patience);
        try
        {
            await _process!.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process!.Kill();
            throw new InvalidOperationException($"etcd did not end within {Patience.TotalSeconds:0} s; it wrote:\n{Output}");
        }
    }

    private void Keep(string? line)
    {
        lock (_output)
        {
            _output.AppendLine(line);
            if (_output.Length > OutputLimit)
            {
                _output.Remove(0, _output.Length - OutputLimit);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}

/// <summary>PEM files for an etcd that takes clients with certificates only.</summary>
/// <param name="CertFile">Its own certificate, for a server and for a client.</param>
/// <param name="KeyFile">Its key.</param>
/// <param name="CaFile">Who signs certificates of clients.</param>
public sealed record EtcdTls(string CertFile, string KeyFile, string CaFile);
