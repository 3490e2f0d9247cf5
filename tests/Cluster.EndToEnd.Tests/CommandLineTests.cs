using System.Text.Json;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;

namespace Cluster.EndToEnd.Tests;

/// <summary>The commands that end by themselves. Exit codes: 0 good, 1 found something wrong, 2 usage.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("actorsampling-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Validate_GoodConfiguration_EndsWith0()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        string path = await WriteAsync("good.yaml", new NodeSettings(backend).ToYaml());
        NodeCommand command = await NodeCommand.RunAsync("validate", "--config", path);
        Assert.True(command.ExitCode == 0, command.ToString());
    }

    [Fact]
    public async Task Validate_BadConfiguration_NamesEveryErrorAndEndsWith1()
    {
        await using RecordingBackend backend = await RecordingBackend.StartAsync();
        string yaml = new NodeSettings(backend) { DecisionWait = "soon" }.ToYaml();
        yaml = yaml.Replace("threshold_ms", "treshold_ms", StringComparison.Ordinal);
        string path = await WriteAsync("bad.yaml", yaml);
        NodeCommand command = await NodeCommand.RunAsync("validate", "--config", path);
        Assert.True(command.ExitCode == 1, command.ToString());
        string said = command.Output + command.Errors;
        Assert.Contains("decision_wait", said, StringComparison.Ordinal);
        Assert.Contains("treshold_ms", said, StringComparison.Ordinal);

        NodeCommand run = await NodeCommand.RunAsync("run", "--config", path);
        Assert.True(run.ExitCode == 1, run.ToString());
    }

    [Fact]
    public async Task AnyCommand_UnknownOption_EndsWith2()
    {
        NodeCommand command = await NodeCommand.RunAsync("validate", "--confg", "x");
        Assert.True(command.ExitCode == 2, command.ToString());
    }

    [Fact]
    public async Task Run_FileThatAnotherNodeWrites_EndsWith1AndLeavesItAlone()
    {
        string file = Path.Combine(_folder.FullName, "kept.jsonl");
        string yaml = """
            receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
            processors: {tail_sampling: {decision_wait: 100ms, policies: [{name: all, type: always_sample}]}}
            exporters: {file: {path: "FILE"}}
            service: {pipelines: {traces: {receivers: [otlp], processors: [tail_sampling], exporters: [file]}}}
            admin: {endpoint: "127.0.0.1:0"}
            """.Replace("FILE", file, StringComparison.Ordinal);
        await using NodeProcess node = await NodeProcess.StartAsync(yaml);
        using OtlpSender sender = OtlpSender.Http(node.Http);
        Assert.True((await sender.TrySendAsync(new TraceBuilder().Span(1, 1).ToBytes())).Accepted);
        await Eventually.HoldsAsync(() => Task.FromResult(new FileInfo(file).Length > 0), () => "the trace is in the file");
        long length = new FileInfo(file).Length;

        NodeCommand second = await NodeCommand.RunAsync("run", "--config", await WriteAsync("node.yaml", yaml));

        Assert.True(second.ExitCode == 1, second.ToString());
        Assert.Equal($"actorsampling: cannot start: exporter 'file': {file} is being written by another process", second.Errors.TrimEnd());
        Assert.Equal(length, new FileInfo(file).Length);
    }

    [Fact]
    public async Task Run_AddressOfAnotherMachine_EndsWith1AndNamesIt()
    {
        NodeCommand command = await NodeCommand.RunAsync(
            "--otlp-grpc", "203.0.113.1:4317", "--otlp-http", "127.0.0.1:0", "--admin", "127.0.0.1:0");

        Assert.True(command.ExitCode == 1, command.ToString());
        Assert.Contains("(one of 203.0.113.1:4317, 127.0.0.1:0, 127.0.0.1:0)", command.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", command.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PoliciesTest_RecordedTraces_PrintsEveryDecision()
    {
        string policies = await WriteAsync("policies.yaml", """
            policies:
              - name: errors
                type: status_code
                status_code:
                  status_codes: [ERROR]
            """);
        string traces = Path.Combine(_folder.FullName, "traces.pb");
        await File.WriteAllBytesAsync(
            traces, new TraceBuilder().Span(1, 1).Span(1, 2, 1).Error().Span(2, 1).ToBytes(), TestContext.Current.CancellationToken);
        NodeCommand command = await NodeCommand.RunAsync("policies", "test", "--config", policies, "--traces", traces, "--output", "jsonl");
        Assert.True(command.ExitCode == 0, command.ToString());

        Dictionary<string, string?> decisions = [];
        foreach (string line in command.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument trace = JsonDocument.Parse(line);
            decisions.Add(trace.RootElement.GetProperty("traceId").GetString()!, trace.RootElement.GetProperty("decision").GetString());
        }

        Assert.Equal(2, decisions.Count);
        Assert.Equal("sampled", decisions[TraceBuilder.TraceId(1).ToString()]);
        Assert.Equal("not_sampled", decisions[TraceBuilder.TraceId(2).ToString()]);
    }

    private async Task<string> WriteAsync(string name, string text)
    {
        string path = Path.Combine(_folder.FullName, name);
        await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
        return path;
    }
}
