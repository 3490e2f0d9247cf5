using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>A node in a process of its own. Disposing it sends SIGTERM and fails when it does not go.</summary>
internal sealed partial class NodeProcess : IAsyncDisposable
{
    private const int SigTerm = 15;

    private readonly Process _process;
    private readonly string _folder;
    private readonly StringBuilder _output = new();
    private readonly Dictionary<string, Uri> _addresses = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _admin = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Eventually.Deadline };

    private NodeProcess(string folder, IEnumerable<string> arguments)
    {
        _folder = folder;
        ProcessStartInfo start = new("dotnet", [Repository.NodeProgram, .. arguments])
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
        string folder = Directory.CreateTempSubdirectory("actorsampling-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "node.yaml"), yaml);
        NodeProcess node = new(folder, ["run", "--config", "node.yaml", .. arguments]);
        try
        {
            node._process.Start();
            node._process.BeginOutputReadLine();
            node._process.BeginErrorReadLine();
            await node._ready.Task.WaitAsync(Eventually.Deadline);
            await Eventually.HoldsAsync(
                async () => (await node.AskAsync("/readyz")).Status == HttpStatusCode.OK,
                () => $"the node is ready; it wrote:\n{node.Output}");
            return node;
        }
        catch (Exception exception) when (exception is InvalidOperationException or TimeoutException or KeyNotFoundException)
        {
            await node.KillAsync();
            throw new InvalidOperationException($"{exception.Message}; it wrote:\n{node.Output}", exception);
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

    private async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        // Also of one that has ended already: what it wrote last is read by then.
        await _process.WaitForExitAsync();
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
