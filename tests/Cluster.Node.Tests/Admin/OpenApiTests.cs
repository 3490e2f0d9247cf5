using System.Text.Json;
using Cluster.Node.Exporters;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Tests.Admin;

/// <summary>The document says what the endpoint does, and the endpoint does what the document says.</summary>
public sealed class OpenApiTests : IDisposable
{
    private readonly AdminFixture _admin = new();

    public void Dispose() => _admin.Dispose();

    [Fact]
    public async Task Document_Paths_AreTheRoutesWithTheirParameters()
    {
        using JsonDocument document = await ReadAsync();

        Dictionary<string, JsonElement> paths =
            document.RootElement.GetProperty("paths").EnumerateObject().ToDictionary(path => path.Name, path => Operation(path.Value));
        Assert.Equal(_admin.Endpoint.Routes.All.Select(route => route.Template).Order(), paths.Keys.Order());
        foreach (var route in _admin.Endpoint.Routes.All)
        {
            JsonElement[] parameters = paths[route.Template].TryGetProperty("parameters", out JsonElement list) ? [.. list.EnumerateArray()] : [];
            Assert.Equal(route.IsPost, document.RootElement.GetProperty("paths").GetProperty(route.Template).TryGetProperty("post", out _));
            Assert.Equal(route.Query ?? [], Names(parameters, "query"));
            Assert.Equal(route.Template.Contains('{', StringComparison.Ordinal) ? [route.Template.Split('{', '}')[1]] : [], Names(parameters, "path"));
        }
    }

    [Theory]
    [InlineData("/healthz", "/healthz", 200)]
    [InlineData("/readyz", "/readyz", 200)]
    [InlineData("/api/node", "/api/node", 200)]
    [InlineData("/api/node?x=1", "/api/node", 400)]
    [InlineData("/api/cluster", "/api/cluster", 200)]
    [InlineData("/api/cluster?x=1", "/api/cluster", 400)]
    [InlineData("/api/drain", "/api/drain", 409)]
    [InlineData("/api/drain?wait=-1", "/api/drain", 400)]
    [InlineData("/api/shards", "/api/shards", 200)]
    [InlineData("/api/shards?x=1", "/api/shards", 400)]
    [InlineData("/api/shards/0", "/api/shards/{id}", 200)]
    [InlineData("/api/shards/x", "/api/shards/{id}", 400)]
    [InlineData("/api/shards/7", "/api/shards/{id}", 404)]
    [InlineData("/api/traces", "/api/traces", 200)]
    [InlineData("/api/traces?sort=age", "/api/traces", 200)]
    [InlineData("/api/traces?state=decided", "/api/traces", 200)]
    [InlineData("/api/traces?state=none", "/api/traces", 400)]
    [InlineData("/api/traces/0102030405060708090a0b0c0d0e0f10", "/api/traces/{traceId}", 200)]
    [InlineData("/api/traces/aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", "/api/traces/{traceId}", 200)]
    [InlineData("/api/traces/1", "/api/traces/{traceId}", 400)]
    [InlineData("/api/traces/00000000000000000000000000000001", "/api/traces/{traceId}", 404)]
    [InlineData("/api/doors", "/api/doors", 200)]
    [InlineData("/api/policies", "/api/policies", 200)]
    [InlineData("/api/exporters", "/api/exporters", 200)]
    [InlineData("/api/openapi.json", "/api/openapi.json", 200)]
    public async Task Document_Answers_FitTheirSchemas(string target, string template, int status)
    {
        using JsonDocument document = await ReadAsync();

        AssertDescribed(document.RootElement, await _admin.SendAsync(target, MethodOf(target)), template, status);
    }

    [Theory]
    [InlineData("/api/cluster", "/api/cluster", 200)]
    [InlineData("/api/shards", "/api/shards", 200)]
    [InlineData("/api/shards?local=true", "/api/shards", 200)]
    [InlineData("/api/shards/0", "/api/shards/{id}", 200)]
    [InlineData("/api/shards/1", "/api/shards/{id}", 200)]
    [InlineData("/api/traces/000000000000000000000000000000ff?local=true", "/api/traces/{traceId}", 404)]
    [InlineData("/api/drain?wait=0", "/api/drain", 202)]
    [InlineData("/api/drain?wait=0&node=node-2", "/api/drain", 503)]
    [InlineData("/api/drain?node=node-9", "/api/drain", 404)]
    public async Task Document_AnswersInACluster_FitTheirSchemas(string target, string template, int status)
    {
        using AdminFixture admin = new(cluster: true);
        using JsonDocument document = await ReadAsync();

        AssertDescribed(document.RootElement, await admin.SendAsync(target, MethodOf(target)), template, status);
    }

    [Fact]
    public async Task Document_DrainFromAnotherSite_FitsItsSchema()
    {
        using JsonDocument document = await ReadAsync();

        AssertDescribed(document.RootElement, await _admin.SendAsync("/api/drain", "POST", origin: "http://evil.example"), "/api/drain", 403);
    }

    [Fact]
    public async Task Document_NotReady_FitsItsSchema()
    {
        using JsonDocument document = await ReadAsync();
        _admin.Node.Starting("starting");

        AssertDescribed(document.RootElement, await _admin.SendAsync("/readyz"), "/readyz", 503);
        AssertDescribed(document.RootElement, await _admin.SendAsync("/api/node"), "/api/node", 200);
    }

    [Fact]
    public async Task Document_Words_AreTheOnesTheNodeSays()
    {
        using JsonDocument document = await ReadAsync();
        JsonElement schemas = document.RootElement.GetProperty("components").GetProperty("schemas");

        AssertWords(schemas, "DecidedTrace", "reason", Enum.GetValues<Cluster.Sharding.Traces.CompletionReason>().Select(Cluster.Node.Telemetry.Names.Of));
        AssertWords(schemas, "DecidedTrace", "decision", Enum.GetValues<Cluster.Sampling.Decisions.Decision>().Select(Cluster.Node.Telemetry.Names.Of));
        AssertWords(schemas, "Vote", "vote", Enum.GetValues<Cluster.Sampling.Decisions.Vote>().Select(Cluster.Node.Telemetry.Names.Of));
        AssertWords(schemas, "Door", "door", Enum.GetValues<Cluster.Gateway.Receivers.DoorKind>().Select(Cluster.Node.Telemetry.Names.Of));
        AssertWords(schemas, "Exporter", "state", Enum.GetValues<ExporterState>().Select(Cluster.Node.Telemetry.Names.Of));
        AssertWords(schemas, "Node", "state", Enum.GetValues<NodePhase>().Select(Cluster.Node.Telemetry.Names.Of));
    }

    [Fact]
    public void Check_WrongValues_AreFound()
    {
        using JsonDocument schema = JsonDocument.Parse(
            """{"type":"object","required":["a"],"additionalProperties":false,"properties":{"a":{"type":["string","null"],"enum":["x",null]}}}""");
        JsonSchema checker = new(schema.RootElement);
        foreach (string wrong in new[] { "[]", "{}", """{"a":"y"}""", """{"a":1}""", """{"a":"x","b":1}""" })
        {
            using JsonDocument value = JsonDocument.Parse(wrong);
            Assert.NotEmpty(checker.Check(schema.RootElement, value.RootElement));
        }

        using JsonDocument right = JsonDocument.Parse("""{"a":null}""");
        Assert.Empty(checker.Check(schema.RootElement, right.RootElement));

        using JsonDocument counts = JsonDocument.Parse("""{"type":"object","additionalProperties":{"type":"integer"}}""");
        using JsonDocument noCount = JsonDocument.Parse("""{"a":1,"b":"x"}""");
        Assert.Equal("$.b: is String, not integer", Assert.Single(new JsonSchema(counts.RootElement).Check(counts.RootElement, noCount.RootElement)));
    }

    private static void AssertDescribed(JsonElement document, Answer answer, string template, int status)
    {
        Assert.Equal(status, answer.Status);
        JsonElement described = document.GetProperty("paths").GetProperty(template);
        JsonElement content = Operation(described).GetProperty("responses")
            .GetProperty(status.ToString()).GetProperty("content").GetProperty(answer.ContentType!);
        using JsonDocument value = JsonDocument.Parse(answer.Body);
        Assert.Empty(new JsonSchema(document).Check(content.GetProperty("schema"), value.RootElement));
    }

    private static string MethodOf(string target) => target.StartsWith("/api/drain", StringComparison.Ordinal) ? "POST" : "GET";

    private static JsonElement Operation(JsonElement path) => path.TryGetProperty("post", out JsonElement post) ? post : path.GetProperty("get");

    private static void AssertWords(JsonElement schemas, string schema, string property, IEnumerable<string> words)
    {
        JsonElement described = schemas.GetProperty(schema).GetProperty("properties").GetProperty(property).GetProperty("enum");
        Assert.Equal(words.Order(), described.EnumerateArray().Select(word => word.GetString()).Order());
    }

    private static List<string> Names(JsonElement[] parameters, string place) =>
        [.. parameters.Where(one => one.GetProperty("in").GetString() == place).Select(one => one.GetProperty("name").GetString()!)];

    private async Task<JsonDocument> ReadAsync() => JsonDocument.Parse((await _admin.SendAsync("/api/openapi.json")).Body);
}
