using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>
/// A node in a process of its own. Disposing it sends SIGTERM and fails when it does not go; of one that has ended, it only cleans up.
/// </summary>
internal sealed partial class NodeProcess : IAsyncDisposable
{
    private const int SigTerm = 15;
    private const int SigContinue = 18;
    private const int SigStop = 19;

    private readonly Process _process;
    private readonly string _folder;
    private readonly StringBuilder _output = new();
    private readonly Dictionary<string, Uri> _addresses = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _admin = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Deadline };

    private NodeProcess(string folder, IReadOnlyList<string> command)
    {
        _folder = folder;
        ProcessStartInfo start = new(command[0], command.Skip(1))
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Exited += (_, _) => _ready.TrySetException(new InvalidOperationException("the node ended before it was ready"));
    }

    /// <summary>The OTLP/gRPC door.</summary>
    public Uri Grpc => _addresses["OTLP/gRPC"];

    /// <summary>The OTLP/HTTP door.</summary>
    public Uri Http => _addresses["OTLP/HTTP"];

    /// <summary>The admin endpoint.</summary>
    public Uri Admin => _addresses["admin"];

    /// <summary>True when the process is gone.</summary>
    public bool HasEnded => _process.HasExited;

    /// <summary>What it wrote so far, to both streams.</summary>
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

    /// <summary>A node that is ready to take spans.</summary>
    public static Task<NodeProcess> StartAsync(NodeSettings settings) => StartAsync(settings.ToYaml());

    /// <summary>A node that is ready to take spans.</summary>
    public static async Task<NodeProcess> StartAsync(string yaml, params string[] arguments)
    {
        NodeProcess node = await LaunchAsync(yaml, arguments, []);
        await node.WaitUntilReadyAsync();
        return node;
    }

    /// <summary>A process that was started and need not be ready.</summary>
    /// <param name="yaml">Its configuration.</param>
    /// <param name="arguments">What else to say on its command line.</param>
    /// <param name="launcher">A command that ends by becoming the command behind it, such as <c>ip netns exec NAME</c>; or nothing.</param>
    public static async Task<NodeProcess> LaunchAsync(string yaml, IReadOnlyList<string> arguments, IReadOnlyList<string> launcher)
    {
        string folder = Directory.CreateTempSubdirectory("actorsampling-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "node.yaml"), yaml);
        NodeProcess node = new(folder, [.. launcher, "dotnet", Repository.NodeProgram, "run", "--config", "node.yaml", .. arguments]);
        node._process.Start();
        node._process.BeginOutputReadLine();
        node._process.BeginErrorReadLine();
        return node;
    }

    /// <summary>Waits until it is ready to take spans; one that is not in the end is killed.</summary>
    public async Task WaitUntilReadyAsync()
    {
        try
        {
            await _ready.Task.WaitAsync(Eventually.Deadline);
            await Eventually.HoldsAsync(
                async () => (await AskAsync("/readyz")).Status == HttpStatusCode.OK,
                () => $"the node is ready; it wrote:\n{Output}");
        }
        catch (Exception exception) when (exception is InvalidOperationException or TimeoutException or KeyNotFoundException)
        {
            await KillAsync();
            throw new InvalidOperationException($"{exception.Message}; it wrote:\n{Output}", exception);
        }
    }

    /// <summary>GET from the admin endpoint.</summary>
    public async Task<(HttpStatusCode Status, string Body)> AskAsync(string path)
    {
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        using HttpResponseMessage response = await _admin.GetAsync(new Uri(_addresses["admin"], path), cancelled);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(cancelled));
    }

    /// <summary>What the node says of a trace: pending, sampled, not_sampled or dropped; null when it does not know it.</summary>
    public async Task<string?> StateOfAsync(string traceId)
    {
        (HttpStatusCode status, string body) = await AskAsync($"/api/traces/{traceId}");
        if (status == HttpStatusCode.NotFound)
        {
            return null;
        }

        Assert.Equal(HttpStatusCode.OK, status);
        using JsonDocument trace = JsonDocument.Parse(body);
        return trace.RootElement.GetProperty("state").GetString();
    }

    /// <summary>Waits until the node says <paramref name="state"/> of each trace.</summary>
    public async Task WaitForStateAsync(string state, params IEnumerable<string> traceIds)
    {
        foreach (string traceId in traceIds)
        {
            string? last = null;
            await Eventually.HoldsAsync(
                async () => (last = await StateOfAsync(traceId)) == state, () => $"{traceId} is {state}; it is {last ?? "unknown"}");
        }
    }

    /// <summary>Sends SIGTERM and does not wait.</summary>
    public void SendSigTerm() => _ = Signal(_process.Id, SigTerm);

    /// <summary>Sends SIGTERM, waits for the end, and returns the exit code.</summary>
    public async Task<int> StopAsync()
    {
        if (!_process.HasExited)
        {
            SendSigTerm();
            using CancellationTokenSource deadline = new(Eventually.Deadline);
            try
            {
                await _process.WaitForExitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                await KillAsync();
                Assert.Fail($"the node did not end after SIGTERM; it wrote:\n{Output}");
            }
        }

        return _process.ExitCode;
    }

    /// <summary>SIGKILL: it is gone when this returns.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        // Also of one that has ended already: what it wrote last is read by then.
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP: its connections stay, but nobody answers.</summary>
    public void Pause() => Assert.Equal(0, Signal(_process.Id, SigStop));

    /// <summary>SIGCONT: it goes on after <see cref="Pause"/>.</summary>
    public void Continue() => Assert.Equal(0, Signal(_process.Id, SigContinue));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync();
        }
        finally
        {
            _process.Dispose();
            _admin.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (Address.Match(line) is { Success: true } found)
        {
            _addresses[found.Groups[1].Value] = new Uri(found.Groups[2].Value);
        }
        else if (line.Trim() == "ready")
        {
            _ready.TrySetResult();
        }
    }

    [GeneratedRegex(@"^(OTLP/gRPC|OTLP/HTTP|admin)\s+(https?://\S+)")]
    private static partial Regex Address { get; }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}
