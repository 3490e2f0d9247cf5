using System.Text.Json;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Node.Admin;

namespace Cluster.Node.Tests.Admin;

/// <summary>The pages of a node that is one of several.</summary>
public sealed class ClusterPagesTests : IDisposable
{
    private const string SecondsShards = """
        {"shards": [
          {"id": 1, "primary": "node-2", "term": 4, "replicas": [], "moving": false, "traces": 7, "spans": 70, "bytes": 700, "oldestSeconds": 1.5,
           "decided": 3, "sampled": 1, "notSampled": 2, "dropped": 0, "refused": 0, "remembered": 3},
          {"id": 0, "primary": "node-2", "term": 9, "replicas": [], "moving": true, "traces": 99, "spans": 99, "bytes": 99, "oldestSeconds": null,
           "decided": 0, "sampled": 0, "notSampled": 0, "dropped": 0, "refused": 0, "remembered": 0}],
         "unanswered": []}
        """;

    // Which shard a trace is in follows from its ID.
    private static readonly TraceId Own = TraceIn(0);
    private static readonly TraceId Others = TraceIn(1);

    private readonly AdminFixture _admin = new(cluster: true);

    public void Dispose() => _admin.Dispose();

    [Fact]
    public async Task Cluster_FixedWorld_AnswersExactlyAndAsksNobody()
    {
        Answer answer = await _admin.SendAsync("/api/cluster");

        Repository.AssertGolden("tests/Cluster.Node.Tests/Admin/Golden/cluster.json", answer.Body + "\n");
        Assert.Empty(_admin.Cluster.Asked);
    }

    [Fact]
    public async Task Cluster_JustJoining_IsAnAnswer()
    {
        _admin.Cluster.Snapshot = new(FakeCluster.First, [], new ShardAllocation(0, []), default);
        using JsonDocument cluster = JsonDocument.Parse((await _admin.SendAsync("/api/cluster")).Body);

        Assert.Equal(JsonValueKind.Null, cluster.RootElement.GetProperty("coordinator").ValueKind);
        Assert.Equal(0, cluster.RootElement.GetProperty("shards").GetProperty("total").GetInt32());
        Assert.Equal(200, (await _admin.SendAsync("/api/shards")).Status);
        Assert.Equal(404, (await _admin.SendAsync($"/api/traces/{Own}")).Status);
    }

    [Fact]
    public async Task Cluster_WithoutReplicas_MissesNoCopy()
    {
        _admin.Cluster.Sources = _admin.Cluster.Sources with { Options = _admin.Cluster.Sources.Options with { Replicas = 0 } };
        using AdminFixture admin = new(_admin.Cluster);
        using JsonDocument cluster = JsonDocument.Parse((await admin.SendAsync("/api/cluster")).Body);

        Assert.Equal(0, cluster.RootElement.GetProperty("shards").GetProperty("withoutInSyncCopy").GetInt32());
    }

    [Fact]
    public async Task Shards_EveryOwnerAnswers_AreAllThere()
    {
        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>(SecondsShards);

        Answer answer = await _admin.SendAsync("/api/shards");

        Repository.AssertGolden("tests/Cluster.Node.Tests/Admin/Golden/shards-cluster.json", answer.Body + "\n");
        Assert.Equal(["node-2: /api/shards?local=true"], _admin.Cluster.Asked);
    }

    [Fact]
    public async Task Shards_Local_AreThoseHereAndAskNobody()
    {
        Answer answer = await _admin.SendAsync("/api/shards?local=true");

        using JsonDocument shards = JsonDocument.Parse(answer.Body);
        Assert.Equal(["node-1", "node-2"], Shards(shards).Select(shard => shard.GetProperty("primary").GetString()));
        Assert.Empty(_admin.Cluster.Asked);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"shards": null, "unanswered": []}""")]
    [InlineData("""{"shards": [{"id": 1}], "unanswered": []}""")]
    [InlineData("""{"type": "about:blank", "title": "No answer in time", "status": 503, "detail": "x"}""")]
    public async Task Shards_OwnerWithoutAGoodAnswer_IsUnknown(string? text)
    {
        _admin.Cluster.Answer = (_, _) => Task.FromResult(text);

        Answer answer = await _admin.SendAsync("/api/shards");

        AssertUnknown(answer, unknown: 1, node: "node-2");
    }

    [Fact]
    public async Task Shards_OwnerThatNeverAnswers_IsUnknownAfterTwoSeconds()
    {
        _admin.Cluster.Answer = (_, _) => new TaskCompletionSource<string?>().Task;

        Task<Answer> pending = _admin.SendAsync("/api/shards");
        _admin.Time.Advance(PeerQuestions.Patience - TimeSpan.FromTicks(1));
        Assert.False(pending.IsCompleted);
        _admin.Time.Advance(TimeSpan.FromTicks(1));

        AssertUnknown(await pending, unknown: 1, node: "node-2");
    }

    [Fact]
    public async Task Shards_OwnShardsStuck_AreUnknownToo()
    {
        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>(SecondsShards);
        _admin.Shards.Before = _ => new TaskCompletionSource().Task;

        Task<Answer> pending = _admin.SendAsync("/api/shards");
        _admin.Time.Advance(PeerQuestions.Patience);

        AssertUnknown(await pending, unknown: 0, node: "node-1");
    }

    [Fact]
    public async Task Shard_OfAnother_IsAskedOfItsOwner()
    {
        using JsonDocument rows = JsonDocument.Parse(SecondsShards);
        string row = rows.RootElement.GetProperty("shards")[0].GetRawText();
        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>(row);

        using JsonDocument shard = JsonDocument.Parse((await _admin.SendAsync("/api/shards/1")).Body);

        Assert.Equal(["node-2: /api/shards/1?local=true"], _admin.Cluster.Asked);
        Assert.Equal(7, shard.RootElement.GetProperty("traces").GetInt32());
        Assert.Equal("node-3", shard.RootElement.GetProperty("replicas")[0].GetProperty("node").GetString());
        Assert.True(shard.RootElement.GetProperty("moving").GetBoolean());
    }

    [Fact]
    public async Task Shard_OfNobody_HasNoCounts()
    {
        _admin.Cluster.Allocate(FakeCluster.OwnShard, new ShardAssignment(default, 0, []));
        using JsonDocument shard = JsonDocument.Parse((await _admin.SendAsync("/api/shards/1")).Body);

        Assert.Empty(_admin.Cluster.Asked);
        Assert.Equal(JsonValueKind.Null, shard.RootElement.GetProperty("primary").ValueKind);
        Assert.Equal(JsonValueKind.Null, shard.RootElement.GetProperty("traces").ValueKind);
    }

    [Fact]
    public async Task Trace_InAnOwnShard_IsAnsweredHere()
    {
        Assert.Equal(404, (await _admin.SendAsync($"/api/traces/{Own}")).Status);
        Assert.Empty(_admin.Cluster.Asked);
    }

    [Fact]
    public async Task Trace_InAShardOfAnother_IsTheOwnersAnswer()
    {
        using AdminFixture owner = new(cluster: true);
        string page = (await owner.SendAsync($"/api/traces/{FakeShards.Kept}?local=true")).Body;
        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>(page);

        Answer answer = await _admin.SendAsync($"/api/traces/{Others}");

        Assert.Equal([$"node-2: /api/traces/{Others}?local=true"], _admin.Cluster.Asked);
        Assert.Equal((200, page), (answer.Status, answer.Body));
    }

    [Fact]
    public async Task Trace_UnknownToItsOwner_Is404()
    {
        using AdminFixture owner = new(cluster: true);
        string page = (await owner.SendAsync($"/api/traces/{Others}?local=true")).Body;
        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>(page);

        Answer answer = await _admin.SendAsync($"/api/traces/{Others}");

        Assert.Equal((404, "application/problem+json", page), (answer.Status, answer.ContentType, answer.Body));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("{}")]
    [InlineData("""{"type": "x", "title": "OK", "status": 200, "detail": "x"}""")]
    public async Task Trace_OwnerWithoutAGoodAnswer_Is503(string? text)
    {
        _admin.Cluster.Answer = (_, _) => Task.FromResult(text);

        Answer answer = await _admin.SendAsync($"/api/traces/{Others}");

        Assert.Equal((503, "1"), (answer.Status, answer.Headers.RetryAfter.ToString()));
        Assert.Contains($"Trace {Others} is on node-2, which did not answer; try again.", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Trace_InAShardWithoutAnOwner_Is503()
    {
        _admin.Cluster.Allocate(FakeCluster.OwnShard, new ShardAssignment(new MemberId("node-9", 1), 1, []));

        Answer answer = await _admin.SendAsync($"/api/traces/{Others}");

        Assert.Equal(503, answer.Status);
        Assert.Contains($"Trace {Others} is in shard 1, which nobody owns at the moment; try again.", answer.Body, StringComparison.Ordinal);
    }

    private static JsonElement[] Shards(JsonDocument shards) => [.. shards.RootElement.GetProperty("shards").EnumerateArray()];

    private static void AssertUnknown(Answer answer, int unknown, string node)
    {
        Assert.Equal(200, answer.Status);
        using JsonDocument shards = JsonDocument.Parse(answer.Body);
        Assert.Equal([node], shards.RootElement.GetProperty("unanswered").EnumerateArray().Select(name => name.GetString()));
        JsonElement[] rows = Shards(shards);
        Assert.Equal(2, rows.Length);
        Assert.Equal(JsonValueKind.Null, rows[unknown].GetProperty("traces").ValueKind);
        Assert.Equal(node, rows[unknown].GetProperty("primary").GetString());
        Assert.Equal(JsonValueKind.Number, rows[1 - unknown].GetProperty("traces").ValueKind);
    }

    private static TraceId TraceIn(int shard)
    {
        ulong low = 0x1000;
        while (new TraceId(0, low).Shard(2) != shard)
        {
            low++;
        }

        return new TraceId(0, low);
    }
}
