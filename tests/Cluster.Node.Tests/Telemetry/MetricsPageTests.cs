using System.Globalization;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Telemetry;
using Cluster.Node.Tests.Admin;
using Cluster.Sharding.Region;

namespace Cluster.Node.Tests.Telemetry;

public sealed class MetricsPageTests : IDisposable
{
    private readonly AdminFixture _admin = new();

    public void Dispose() => _admin.Dispose();

    [Fact]
    public void Render_FixedWorld_TextIsExact() =>
        Repository.AssertGolden("tests/Cluster.Node.Tests/Telemetry/Golden/metrics.txt", Page().Render());

    [Fact]
    public void Render_AnyName_ShowsEveryDeclaredMetricAsDeclared()
    {
        foreach (bool suffixes in new[] { false, true })
        {
            Dictionary<string, ParsedMetric> page = PrometheusParser.Parse(Page().Render(suffixes));

            Assert.Equal(Metrics.All.Select(metric => suffixes ? metric.NameWithSuffixes : metric.Name).Order(StringComparer.Ordinal), page.Keys.Order(StringComparer.Ordinal));
            foreach (MetricDefinition metric in Metrics.All)
            {
                ParsedMetric parsed = page[suffixes ? metric.NameWithSuffixes : metric.Name];
                Assert.Equal((metric.Help, metric.Type.ToString().ToLowerInvariant()), (parsed.Help, parsed.Type));
                Assert.NotEmpty(parsed.Samples);
                Assert.All(parsed.Samples, sample => Assert.Equal(metric.Labels, sample.Labels.Select(label => label.Name).Where(name => name != "le")));
            }
        }
    }

    [Fact]
    public void Render_Decisions_AddUpAcrossLabels()
    {
        Dictionary<string, ParsedMetric> page = PrometheusParser.Parse(Page().Render());
        const string Tail = "otelcol_processor_tail_sampling_";

        Assert.Equal(38, page[Tail + "global_count_traces_sampled"].Samples.Sum(sample => sample.Value));
        Assert.Equal(9, page[Tail + "global_count_traces_sampled"].Samples.Single(sample => sample["sampled"] == "true").Value);
        Assert.Equal(38, page[Tail + "sampling_decision_timer_latency"].Samples.Single(sample => sample.Name.EndsWith("_count", StringComparison.Ordinal)).Value);
        Assert.Equal(38, page["actorsampling_completions_total"].Samples.Sum(sample => sample.Value));
        Assert.Equal(38, page[Tail + "sampling_policy_execution_count"].Samples.Single(sample => sample["policy"] == "errors").Value);
        Assert.Equal(1, Assert.Single(page[Tail + "sampling_policy_evaluation_error"].Samples).Value);
        Assert.Equal(0, Assert.Single(page[Tail + "sampling_trace_dropped_too_early"].Samples).Value);
        Assert.Equal(1, Assert.Single(page[Tail + "traces_dropped_too_large"].Samples).Value);
    }

    [Theory]
    [InlineData("tail_sampling", "errors")]
    [InlineData("tail_sampling/eu", "eu.errors")]
    public void Render_NamedProcessor_PrefixesPoliciesAsTheCollectorDoes(string processor, string policy)
    {
        string page = Page(processor).Render();

        Assert.Contains($"otelcol_processor_tail_sampling_count_traces_sampled{{policy=\"{policy}\",sampled=\"true\",decision=\"sampled\"}} 7\n", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tail_sampling", "")]
    [InlineData("tail_sampling/eu", "eu.")]
    public void Render_BudgetsThatAreCalledTheSame_AreToldApart(string processor, string prefix)
    {
        Dictionary<string, ParsedMetric> page = PrometheusParser.Parse(Page(processor).Render());

        Assert.Equal(
            [(prefix + "slow", 12), (prefix + "mixed", 0), (prefix + "mixed#2", 7)],
            page["actorsampling_budget_leased_units"].Samples.Select(sample => (sample["policy"], sample.Value)));
        Assert.Equal([340d, 0, 70], page["actorsampling_budget_taken_units_total"].Samples.Select(sample => sample.Value));
        Assert.Equal([5d, 0, 1], page["actorsampling_budget_shortages_total"].Samples.Select(sample => sample.Value));
    }

    [Fact]
    public void Render_NothingHappenedYet_IsValid()
    {
        NodeState node = new() { Id = "n", Version = "v", StartedAt = AdminFixture.Start, Limits = new GatewayLimits(), Sharding = new ShardRegionOptions() };
        MetricsPage page = new(node, new EmptyShards(), () => new GatewaySnapshot(0, 0, 0, []), () => [], new ProcessInspection().Snapshot);

        Dictionary<string, ParsedMetric> metrics = PrometheusParser.Parse(page.Render());

        Assert.Equal(0, Assert.Single(metrics["actorsampling_ready"].Samples).Value);
        Assert.Empty(metrics["actorsampling_exporter_queue_bytes"].Samples);
        Assert.DoesNotContain(metrics.Keys, name => name.StartsWith("actorsampling_cluster_", StringComparison.Ordinal));
        Assert.True(Assert.Single(metrics["process_resident_memory_bytes"].Samples).Value > 1_000_000);
        Assert.True(Assert.Single(metrics["process_cpu_seconds_total"].Samples).Value > 0);
    }

    [Fact]
    public void All_Declarations_FollowTheNamingRules()
    {
        Assert.Equal(Metrics.All.Count, Metrics.All.Select(metric => metric.NameWithSuffixes).Distinct().Count());
        foreach (MetricDefinition metric in Metrics.All)
        {
            Assert.Matches("^(otelcol_processor_tail_sampling|actorsampling|process)_[a-z_]+$", metric.Name);
            Assert.All(metric.Labels, label => Assert.Matches("^[a-z]+$", label));
            Assert.EndsWith(".", metric.Help, StringComparison.Ordinal);
            Assert.Equal(metric.Type == MetricType.Counter, metric.NameWithSuffixes.EndsWith("_total", StringComparison.Ordinal));
            string name = metric.NameWithSuffixes.Replace("_total", "", StringComparison.Ordinal);
            Assert.Equal(metric.Unit == "By", name.EndsWith("_bytes", StringComparison.Ordinal));
            Assert.Equal(metric.Unit == "s", name.EndsWith("seconds", StringComparison.Ordinal) && metric.Unit is not ("ms" or "us"));
        }
    }

    [Theory]
    [InlineData("otelcol_processor_tail_sampling_count_traces_sampled", "otelcol_processor_tail_sampling_count_traces_sampled_total")]
    [InlineData("otelcol_processor_tail_sampling_sampling_decision_timer_latency", "otelcol_processor_tail_sampling_sampling_decision_timer_latency_milliseconds")]
    [InlineData("otelcol_processor_tail_sampling_sampling_policy_execution_time_sum", "otelcol_processor_tail_sampling_sampling_policy_execution_time_sum_microseconds_total")]
    [InlineData("otelcol_processor_tail_sampling_sampling_traces_on_memory", "otelcol_processor_tail_sampling_sampling_traces_on_memory")]
    [InlineData("actorsampling_accepted_spans_total", "actorsampling_accepted_spans_total")]
    public void NameWithSuffixes_CollectorsMetrics_AreAsItsReaderWouldShowThem(string name, string suffixed) =>
        Assert.Equal(suffixed, Metrics.All.Single(metric => metric.Name == name).NameWithSuffixes);

    [Fact]
    public void Docs_Table_IsTheDeclaredOne()
    {
        string expected = string.Concat(Metrics.All.Select(metric => string.Create(
            CultureInfo.InvariantCulture,
            $"| `{metric.Name}` | {metric.Type.ToString().ToLowerInvariant()} | {metric.Unit} | {string.Join(", ", metric.Labels)} | {metric.Help} |\n")));
        string docs = Repository.Read("docs/metrics.md");
        int start = docs.IndexOf("| `", StringComparison.Ordinal);
        int end = docs.LastIndexOf(" |\n", StringComparison.Ordinal) + 3;

        Assert.Equal(expected, string.Concat(docs[start..end].Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal)).Select(line => line + "\n")));
    }

    private MetricsPage Page(string processor = "tail_sampling")
    {
        NodeState node = new()
        {
            Id = "node-1",
            Version = "0.1.0",
            StartedAt = AdminFixture.Start,
            ProcessorId = processor,
            Limits = new GatewayLimits(),
            Sharding = new ShardRegionOptions(),
        };
        node.Ready();
        return new MetricsPage(node, _admin.Shards, FakeCounters.Gateway, FakeCounters.Exporters, FakeCounters.Process, _admin.Cluster.Sources);
    }

    private sealed class EmptyShards : IShardInspection
    {
        public Task<IReadOnlyList<ShardStatus>> GetShardsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyList<PendingTrace>> GetPendingTracesAsync(TraceOrder order, int limit, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<IReadOnlyList<DecidedTrace>> GetDecidedTracesAsync(
            Cluster.Sampling.Decisions.Decision? decision, int limit, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<TraceStatus?> GetTraceAsync(Cluster.Messages.Identity.TraceId traceId, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ShardRegionStatistics GetStatistics() => new();
    }
}
