using System.CommandLine;
using System.Text.Json;
using Cluster.LoadGenerator.Measuring;
using Cluster.LoadGenerator.Sending;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Commands;

/// <summary><c>loadgen send</c>: plays the workload against a receiver and reports.</summary>
internal static class SendCommand
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    private static readonly Option<Uri[]> s_target = new("--target")
    {
        Description = "grpc://host:port or http://host:port; several share the connections.",
        Required = true,
        CustomParser = ParseUris,
    };

    private static readonly Option<double> s_rate =
        new("--rate") { Description = "Spans a second that become due; 0: closed loop." };

    private static readonly Option<int> s_connections =
        new("--connections") { Description = "gRPC connections.", DefaultValueFactory = _ => 4 };

    private static readonly Option<int> s_inFlight = new("--in-flight")
    {
        Description = "Requests in flight over all connections; over HTTP also the connections.",
        DefaultValueFactory = _ => 16,
    };

    private static readonly Option<double> s_warmUp =
        new("--warm-up") { Description = "Seconds of load before the measured window." };

    private static readonly Option<double> s_seconds =
        new("--seconds") { Description = "Seconds of the measured window.", DefaultValueFactory = _ => 10 };

    private static readonly Option<long> s_spans =
        new("--spans") { Description = "Stop after this many spans, if that comes first.", DefaultValueFactory = _ => long.MaxValue };

    private static readonly Option<bool> s_gzip = new("--gzip") { Description = "Send gzip, compressed before the run." };

    private static readonly Option<int> s_gzipMemory = new("--gzip-memory-mb")
    {
        Description = "Memory for compressed requests; the run ends when they are used up.",
        DefaultValueFactory = _ => 1024,
    };

    private static readonly Option<ulong> s_seed = new("--seed")
    {
        Description = "Seed of the trace IDs: another one for every run against the same node.",
        DefaultValueFactory = _ => TraceWorkload.DefaultSeed,
    };

    private static readonly Option<int[]> s_pid =
        new("--observe-pid") { Description = "Process under test: its CPU time and memory are reported; of several, the sum." };

    private static readonly Option<Uri[]> s_metrics =
        new("--metrics") { Description = "Prometheus page of a node under test.", CustomParser = ParseUris };

    private static readonly Option<Uri?> s_sink = new("--sink")
    {
        Description = "Control address of the sink: what arrived is compared with what was sent.",
        CustomParser = ParseUri,
    };

    private static readonly Option<double> s_decisionWait =
        new("--decision-wait") { Description = "The node's decision_wait, seconds.", DefaultValueFactory = _ => 5 };

    private static readonly Option<int?> s_pin = new("--pin") { Description = "Processor to run on alone, once everything is prepared." };

    private static readonly Option<string> s_scenario =
        new("--scenario") { Description = "Name in the report.", DefaultValueFactory = _ => "run" };

    private static readonly Option<string?> s_output = new("--json") { Description = "File for the whole report." };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("send", "Play the workload and report; last comes one row of a markdown table.")
        {
            s_target, s_rate, s_connections, s_inFlight, s_warmUp, s_seconds, s_spans, s_gzip, s_gzipMemory, s_seed,
            s_pid, s_metrics, s_sink, s_decisionWait, s_pin, s_scenario, s_output,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult result)
    {
        var options = new LoadOptions
        {
            Targets = result.GetRequiredValue(s_target),
            Rate = result.GetValue(s_rate),
            Connections = result.GetValue(s_connections),
            InFlight = result.GetValue(s_inFlight),
            WarmUpSeconds = result.GetValue(s_warmUp),
            Seconds = result.GetValue(s_seconds),
            MaxSpans = result.GetValue(s_spans),
            Gzip = result.GetValue(s_gzip),
            GzipMemoryBytes = (long)result.GetValue(s_gzipMemory) << 20,
            Seed = result.GetValue(s_seed),
        };
        using var observer = new Observer(result.GetValue(s_pid) ?? [], result.GetValue(s_metrics) ?? [], result.GetValue(s_sink));
        var run = new MeasuredRun(options, observer, result.GetValue(s_scenario)!, TimeSpan.FromSeconds(result.GetValue(s_decisionWait)))
        {
            Prepared = () =>
            {
                if (result.GetValue(s_pin) is { } processor)
                {
                    ProcessorPinning.Pin(processor);
                }
            },
        };
        RunReport report = await run.RunAsync();
        if (result.GetValue(s_output) is { } path)
        {
            await File.WriteAllTextAsync(path, JsonSerializer.Serialize(report, s_json));
        }

        Print(report);
        return report.Failed == 0 ? 0 : 1;
    }

    private static Uri? ParseUri(System.CommandLine.Parsing.ArgumentResult result) => ParseUris(result) is [Uri first, ..] ? first : null;

    private static Uri[] ParseUris(System.CommandLine.Parsing.ArgumentResult result)
    {
        List<Uri> uris = [];
        foreach (System.CommandLine.Parsing.Token token in result.Tokens)
        {
            if (Uri.TryCreate(token.Value, UriKind.Absolute, out Uri? uri) && uri.Scheme is ("grpc" or "http"))
            {
                uris.Add(uri);
            }
            else
            {
                result.AddError("an address begins with grpc:// or http://");
            }
        }

        return [.. uris];
    }

    private static void Print(RunReport report)
    {
        Console.WriteLine($"accepted {report.AcceptedSpans} spans; window {report.WindowSeconds:f1} s, {report.SpansPerSecond:f0} spans/s");
        Console.WriteLine($"generator {report.GeneratorCpu:f3}, sink {report.SinkCpu:f3} us/span");
        Console.WriteLine($"lost connections {report.LostConnections}");
        if (report.LastReason is { } reason)
        {
            Console.WriteLine($"last refusal or failure: {reason}");
        }

        Console.WriteLine(report.MarkdownRow());
    }
}
