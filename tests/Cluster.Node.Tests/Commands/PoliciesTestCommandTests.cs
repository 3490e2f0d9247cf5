using System.IO.Compression;
using System.Text.Json;
using Cluster.Messages.Otlp;
using Cluster.Testing;

namespace Cluster.Node.Tests.Commands;

public sealed class PoliciesTestCommandTests : IDisposable
{
    private const string Policies = """
        policies:
          - name: no probes
            type: drop
            drop: { drop_sub_policy: [ { name: p, type: string_attribute, string_attribute: { key: http.route, values: [/healthz] } } ] }
          - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
          - { name: slow, type: latency, latency: { threshold_ms: 500 } }
        """;

    private readonly Shell _shell = new();

    public void Dispose() => _shell.Dispose();

    [Fact]
    public async Task Test_Jsonl_PrintsOneObjectATrace()
    {
        string traces = _shell.File("traces.pb", Traces().Span(1, 1).Error().ToBytes());

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces, "--output", "jsonl"));

        using JsonDocument line = JsonDocument.Parse(_shell.Output);
        Assert.Equal(
            """{"traceId":"9e3779b97f4a7c150000000000000001","decision":"sampled","policy":"errors","votes":[""",
            _shell.Output[.._shell.Output.IndexOf("{\"policy\"", StringComparison.Ordinal)]);
        Assert.Equal(["no probes:not_sampled", "errors:sampled", "slow:not_sampled"], Votes(line.RootElement));
        Assert.All(
            line.RootElement.GetProperty("votes").EnumerateArray(),
            v => Assert.Equal(["policy", "vote", "reason"], v.EnumerateObject().Select(p => p.Name)));
        Assert.EndsWith("\n", _shell.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_SpansOfATraceInSeveralFiles_AreDecidedTogether()
    {
        string first = _shell.File("1.pb", Traces().Span(2, 1, startMs: 0).Span(1, 1).ToBytes());
        string second = _shell.File("2.pb", Traces().Span(2, 2, parent: 1, startMs: 600).ToBytes());

        Assert.Equal(0, await RunAsync(Policies, "--traces", first, second, "--output", "jsonl"));

        Assert.Equal(["2:sampled:slow", "1:not_sampled:"], Decisions());
    }

    [Fact]
    public async Task Test_Dropped_EndsTheEvaluation()
    {
        string traces = _shell.File("traces.pb", Traces().Span(1, 1).With("http.route", "/healthz").Error().ToBytes());

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces, "--output", "jsonl"));

        using JsonDocument line = JsonDocument.Parse(_shell.Output);
        Assert.Equal(["1:dropped:no probes"], Decisions());
        Assert.Equal(["no probes:dropped", "errors:not_evaluated", "slow:not_evaluated"], Votes(line.RootElement));
    }

    [Fact]
    public async Task Test_JsonDocumentAndJsonLines_AreBothRead()
    {
        string one = Json(Traces().Span(1, 1).Error().Span(2, 1).ToBytes());
        string two = Json(Traces().Span(3, 1, durationMs: 700).ToBytes());
        using JsonDocument parsed = JsonDocument.Parse(one);
        string document = _shell.File("document.json", "\uFEFF\n" + JsonSerializer.Serialize(parsed, Indented));
        string lines = _shell.File("lines.jsonl", one.Replace("0001\"", "0009\"", StringComparison.Ordinal) + "\n" + two + "\n\n");

        Assert.Equal(0, await RunAsync(Policies, "--traces", document, "--traces", lines, "--output", "jsonl"));

        Assert.Contains("1:sampled:errors", Decisions());
        Assert.Contains("2:not_sampled:", Decisions());
        Assert.Contains("3:sampled:slow", Decisions());
        Assert.Equal(4, Decisions().Length);
    }

    [Fact]
    public async Task Test_ProtobufThatBeginsLikeJson_IsProtobuf()
    {
        // A first ResourceSpans of 123 bytes: line feed, opening brace.
        TraceBuilder builder = Traces().Span(1, 1, name: "").Error();
        builder.LastSpan.Name = new string('x', 123 - (builder.ToBytes().Length - 2) - 2);
        byte[] bytes = builder.ToBytes();
        Assert.Equal("\n{"u8, bytes.AsSpan(0, 2));
        string traces = _shell.File("traces.bin", bytes);

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces, "--output", "jsonl"));

        Assert.Equal(["1:sampled:errors"], Decisions());
    }

    [Fact]
    public async Task Test_OneTraceOfOneSpan_IsCountedInTheSingular()
    {
        byte[] request = Traces().Span(1, 1).ToBytes();
        string traces = _shell.File("traces.pb", [.. request, .. request]);

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces));

        Assert.EndsWith("\n1 trace: 0 sampled, 1 not sampled, 0 dropped\n", _shell.Output, StringComparison.Ordinal);
        Assert.Equal("counted once, being there several times: 1 span\n", _shell.Error);
    }

    [Fact]
    public async Task Test_GzipFile_SaysHowToUnpackIt()
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(Traces().Span(1, 1).ToBytes());
        }

        string traces = _shell.File("traces.pb.gz", packed.ToArray());

        Assert.Equal(1, await RunAsync(Policies, "--traces", traces));

        Assert.Equal("traces.pb.gz: is compressed with gzip; unpack it first: gzip -dk traces.pb.gz\n", _shell.Error);
        Assert.Equal("", _shell.Output);
    }

    [Fact]
    public async Task Test_DirectoryOfTraces_IsAUsageError()
    {
        Assert.Equal(2, await RunAsync(Policies, "--traces", "/"));
        Assert.Equal("/: cannot be read: it is a directory; name a file\n", _shell.Error);
    }

    [Fact]
    public async Task Test_Text_IsATable()
    {
        string traces = _shell.File(
            "traces.pb", Traces().Span(1, 1).Error().Span(2, 1).Span(3, 1).With("http.route", "/healthz").ToBytes());

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces));

        Assert.Equal(
            """
            TRACE                              SPANS    DURATION  DECISION     POLICY
            9e3779b97f4a7c150000000000000001       1        1 ms  sampled      errors
            3c6ef372fe94f82a0000000000000002       1        1 ms  not_sampled  -
            daa66d2c7ddf743f0000000000000003       1        1 ms  dropped      no probes

            3 traces: 1 sampled, 1 not sampled, 1 dropped

            """,
            _shell.Output);
    }

    [Fact]
    public async Task Test_TextWithExplain_AddsVotesAndReasons()
    {
        string traces = _shell.File("traces.pb", Traces().Span(1, 1, durationMs: 812).ToBytes());

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces, "--explain"));

        string[] lines = _shell.Output.Split('\n');
        Assert.StartsWith("  no probes  not_sampled    ", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("  errors     not_sampled    ", lines[3], StringComparison.Ordinal);
        Assert.StartsWith("  slow       sampled        ", lines[4], StringComparison.Ordinal);
        Assert.Contains("812", lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_RateLimit_GrantsItsBurstOnceInOrder()
    {
        TraceBuilder builder = Traces();
        for (ulong trace = 1; trace <= 4; trace++)
        {
            builder.Span(trace, 1).Span(trace, 2, 1);
        }

        string traces = _shell.File("traces.pb", builder.ToBytes());
        string policies = "policies: [ { name: limited, type: rate_limiting, rate_limiting: { spans_per_second: 1, burst_capacity: 4 } } ]";

        Assert.Equal(0, await RunAsync(policies, "--traces", traces, "--output", "jsonl"));

        Assert.Equal(["1:sampled:limited", "2:sampled:limited", "3:not_sampled:", "4:not_sampled:"], Decisions());
    }

    [Fact]
    public async Task Test_TraceOverMaximumSize_IsNotSampledUnasked()
    {
        string traces = _shell.File("traces.pb", Traces().Span(1, 1, name: new string('x', 2000)).Error().Span(2, 1).Error().ToBytes());

        Assert.Equal(0, await RunAsync(Policies + "\nmaximum_trace_size_bytes: 1000", "--traces", traces, "--output", "jsonl"));

        Assert.Equal(["1:not_sampled:", "2:sampled:errors"], Decisions());
        using JsonDocument line = JsonDocument.Parse(_shell.Output[.._shell.Output.IndexOf('\n', StringComparison.Ordinal)]);
        Assert.Equal(["no probes:not_evaluated", "errors:not_evaluated", "slow:not_evaluated"], Votes(line.RootElement));
    }

    [Fact]
    public async Task Test_RepeatedAndInvalidSpans_AreCountedOnStandardError()
    {
        TraceBuilder builder = Traces().Span(1, 1).Error().Span(1, 1).Error().Span(2, 1);
        builder.LastSpan.SpanId = Google.Protobuf.ByteString.Empty;
        string traces = _shell.File("traces.pb", builder.ToBytes());

        Assert.Equal(0, await RunAsync(Policies, "--traces", traces, "--output", "jsonl"));

        Assert.Equal(["1:sampled:errors"], Decisions());
        Assert.Equal(
            "passed over, for an invalid trace or span ID: 1 span\ncounted once, being there several times: 1 span\n", _shell.Error);
    }

    [Theory]
    [InlineData("{\"resourceSpans\": [}", "traces:1: not valid JSON: ")]
    [InlineData("{}\n{\"resourceSpans\":\n7}", "traces:3: ")]
    [InlineData("hello", "traces: neither OTLP/JSON nor OTLP protobuf: ")]
    public async Task Test_WrongTraces_SaysWhere(string content, string expected)
    {
        string traces = _shell.File("traces", content);

        Assert.Equal(1, await RunAsync(Policies, "--traces", traces));

        Assert.StartsWith(expected, _shell.Error, StringComparison.Ordinal);
        Assert.Equal("", _shell.Output);
    }

    [Fact]
    public async Task Test_DamagedTraces_NeverCrash()
    {
        byte[] protobuf = Traces().Span(1, 1).With("http.route", "/x").Error().Event("e").Span(2, 1).Span(1, 2, 1).ToBytes();
        byte[] json = System.Text.Encoding.UTF8.GetBytes(Json(protobuf));
        Random random = new(7);
        for (int i = 0; i < 200; i++)
        {
            byte[] damaged = [.. i % 2 == 0 ? protobuf : json];
            for (int damage = random.Next(1, 5); damage > 0; damage--)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            string traces = _shell.File("traces", damaged[..random.Next(damaged.Length + 1)]);
            Assert.InRange(await RunAsync(Policies, "--traces", traces), 0, 1);
        }
    }

    [Fact]
    public async Task Test_MissingTraces_IsAUsageError()
    {
        Assert.Equal(2, await RunAsync(Policies, "--traces", "/nowhere/traces"));
        Assert.StartsWith("/nowhere/traces: cannot be read: ", _shell.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Test_NoTraces_PrintsOnlyTheSum()
    {
        Assert.Equal(0, await RunAsync(Policies, "--traces", _shell.File("empty", "")));
        Assert.Equal("0 traces: 0 sampled, 0 not sampled, 0 dropped\n", _shell.Output);
    }

    [Fact]
    public async Task Test_WholeConfigurationOrBlock_IsRead()
    {
        string traces = _shell.File("traces.pb", Traces().Span(1, 1).ToBytes());

        Assert.Equal(0, await RunAsync(Configuration.TestFiles.Minimal(), "--traces", traces, "--output", "jsonl"));
        Assert.Equal(["1:sampled:all"], Decisions());
        Assert.Equal(
            0,
            await RunAsync("tail_sampling/x:\n  policies: [{ name: all, type: always_sample }]", "--traces", traces, "--output", "jsonl"));
        Assert.Equal(["1:sampled:all"], Decisions());
    }

    [Fact]
    public async Task Test_WholeConfiguration_IsReadForItsPoliciesOnly()
    {
        string traces = _shell.File("traces.pb", Traces().Span(1, 1).ToBytes());
        string config = Configuration.TestFiles.Minimal(rest: "workers: ${env:MISSING}")
            .Replace("\nprocessors:", "\nprocessors:\n  tail_sampling/unused: { policies: [] }", StringComparison.Ordinal);

        Assert.Equal(0, await RunAsync(config, "--traces", traces, "--output", "jsonl"));
        Assert.Equal(["1:sampled:all"], Decisions());
    }

    [Fact]
    public async Task Test_FileWithoutPolicies_SaysSo()
    {
        Assert.Equal(1, await RunAsync("receivers:\n  otlp:", "--traces", _shell.File("empty", "")));
        Assert.Equal(
            "policies.yaml:1: no policies; write 'policies:' at the top, or name a whole configuration\n", _shell.Error);
    }

    [Fact]
    public async Task Test_WrongPolicies_PrintsEveryError()
    {
        string policies = "policies:\n  - { name: a, type: latncy }\n  - { type: always_sample }\ndecison_wait: 1s";

        Assert.Equal(1, await RunAsync(policies, "--traces", _shell.File("empty", "")));

        Assert.Equal(3, _shell.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains(
            "policies.yaml:4: decison_wait: unknown key; did you mean 'decision_wait'?", _shell.Error, StringComparison.Ordinal);
    }

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static TraceBuilder Traces() => new TraceBuilder().Resource("service");

    private Task<int> RunAsync(string config, params string[] args) =>
        _shell.RunAsync(["policies", "test", "--config", _shell.File("policies.yaml", config), .. args]);

    /// <summary>Each line as number of the trace, decision and policy.</summary>
    private string[] Decisions() =>
    [
        .. _shell.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
        {
            JsonElement trace = JsonDocument.Parse(line).RootElement;
            string number = trace.GetProperty("traceId").GetString()![16..].TrimStart('0');
            return $"{number}:{trace.GetProperty("decision")}:{trace.GetProperty("policy")}";
        }),
    ];

    private static string[] Votes(JsonElement trace) =>
        [.. trace.GetProperty("votes").EnumerateArray().Select(v => $"{v.GetProperty("policy")}:{v.GetProperty("vote")}")];

    private static string Json(byte[] request)
    {
        System.Buffers.ArrayBufferWriter<byte> json = new();
        OtlpJson.WriteRequest(request, json);
        return System.Text.Encoding.UTF8.GetString(json.WrittenSpan);
    }
}
