using System.Text.Json;
using Cluster.Node.Admin;

namespace Cluster.Node.Tests.Admin;

public sealed class DrainPageTests : IDisposable
{
    private readonly AdminFixture _admin = new(cluster: true);

    public void Dispose() => _admin.Dispose();

    [Fact]
    public async Task Drain_WithGet_IsNotDone()
    {
        Answer answer = await _admin.SendAsync("/api/drain");

        Assert.Equal((405, "POST"), (answer.Status, answer.Headers.Allow.ToString()));
        Assert.Equal(0, _admin.Cluster.Drains);
    }

    [Theory]
    [InlineData("http://evil.example", 403)]
    [InlineData("null", 403)]
    [InlineData("http://127.0.0.1:8080", 202)]
    [InlineData(null, 202)]
    public async Task Drain_FromAPageOfAnotherSite_IsNotDone(string? origin, int status)
    {
        Assert.Equal(status, (await _admin.SendAsync("/api/drain?wait=0", "POST", origin: origin)).Status);
        Assert.Equal(status == 202 ? 1 : 0, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Drain_OfANodeAlone_Is409()
    {
        using AdminFixture alone = new();

        Answer answer = await alone.SendAsync("/api/drain", "POST");

        Assert.Equal(409, answer.Status);
        Assert.Contains("node-1 is alone: there is no node to take its shards.", answer.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("?wait=3601", 400, "wait '3601' is out of range")]
    [InlineData("?local=yes", 400, "Unknown local 'yes'")]
    [InlineData("?node=node-2&local=true", 400, "local=true is about this node; leave out node.")]
    [InlineData("?node=node-9", 404, "There is no node node-9; there are node-1, node-2, node-3.")]
    public async Task Drain_WrongParameter_SaysWhatIsRight(string query, int status, string detail)
    {
        Answer answer = await _admin.SendAsync("/api/drain" + query, "POST");

        Assert.Equal(status, answer.Status);
        Assert.Contains(detail, answer.Body, StringComparison.Ordinal);
        Assert.Equal(0, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Drain_OfThisNode_WaitsAndTellsHowFarItIs()
    {
        Task<Answer> pending = _admin.SendAsync("/api/drain?wait=10", "POST");
        _admin.Time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
        Assert.False(pending.IsCompleted);
        _admin.Time.Advance(TimeSpan.FromTicks(1));

        AssertDrain(await pending, 202, "node-1", "draining", primaries: 1, copies: 0);
    }

    [Fact]
    public async Task Drain_AskedAgain_WaitsForTheSame()
    {
        await _admin.SendAsync("/api/drain?wait=0", "POST");
        Task<Answer> pending = _admin.SendAsync("/api/drain?node=node-1", "POST");
        Assert.False(pending.IsCompleted);

        _admin.Cluster.Allocate(FakeCluster.OtherShard, FakeCluster.OtherShard);
        _admin.Cluster.Drained.SetResult();

        AssertDrain(await pending, 200, "node-1", "drained", primaries: 0, copies: 0);
        Assert.Equal(1, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Drain_WithNobodyToTakeTheRest_IsIncomplete()
    {
        _admin.Cluster.Drained.SetResult();

        AssertDrain(await _admin.SendAsync("/api/drain", "POST"), 200, "node-1", "incomplete", primaries: 1, copies: 0);
    }

    [Fact]
    public async Task Drain_ThatFailed_IsBegunAgain()
    {
        _admin.Cluster.Drained.SetException(new InvalidOperationException("no store"));
        Assert.Equal(500, (await _admin.SendAsync("/api/drain", "POST")).Status);

        _admin.Cluster.Drained = new TaskCompletionSource();
        Assert.Equal(202, (await _admin.SendAsync("/api/drain?wait=0", "POST")).Status);
        Assert.Equal(2, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Drain_WhoAskedIsGone_GoesOn()
    {
        using CancellationTokenSource gone = new();
        Task<Answer> pending = _admin.SendAsync("/api/drain", "POST", client: gone);
        await gone.CancelAsync();

        Assert.Equal("", (await pending).Body);
        Assert.Equal(202, (await _admin.SendAsync("/api/drain?wait=0", "POST")).Status);
        Assert.Equal(1, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Drain_OfAnotherNode_AsksItUntilItIsDone()
    {
        Queue<string?> answers = new([
            """{"node": "node-2", "state": "draining", "primaries": 2, "copies": 1}""",
            null,
            """{"node": "node-2", "state": "drained", "primaries": 0, "copies": 0}"""]);
        _admin.Cluster.Answer = (_, _) => Task.FromResult(answers.Dequeue());

        Task<Answer> pending = _admin.SendAsync("/api/drain?node=node-2", "POST");
        _admin.Time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.False(pending.IsCompleted);
        _admin.Time.Advance(TimeSpan.FromMilliseconds(500));

        AssertDrain(await pending, 200, "node-2", "drained", primaries: 0, copies: 0);
        Assert.Equal(Enumerable.Repeat("node-2: /api/drain?local=true&wait=0", 3), _admin.Cluster.Asked);
        Assert.Equal(0, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Drain_OfAnotherNodeThatLeaves_EndsWithThat()
    {
        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>("""{"node": "node-2", "state": "draining", "primaries": 2, "copies": 1}""");
        Task<Answer> pending = _admin.SendAsync("/api/drain?node=node-2", "POST");

        _admin.Cluster.Answer = (_, _) => Task.FromResult<string?>(null);
        _admin.Cluster.Snapshot = _admin.Cluster.Snapshot with { Members = FakeCluster.Everyone[..1] };
        _admin.Time.Advance(TimeSpan.FromMilliseconds(500));

        AssertDrain(await pending, 200, "node-2", "left", primaries: 0, copies: 0);
    }

    [Fact]
    public async Task Drain_OfAnotherNodeThatDoesNotAnswer_Is503AfterTheWait()
    {
        Task<Answer> pending = _admin.SendAsync("/api/drain?node=node-3&wait=1", "POST");
        _admin.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(503, (await pending).Status);
        Assert.Contains("node-3 did not answer; it may be draining all the same.", (await pending).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_QuestionsOfPeers_AreThePages()
    {
        AdminQuestions questions = _admin.Endpoint.Questions;
        CancellationToken cancel = TestContext.Current.CancellationToken;

        Assert.Equal((await _admin.SendAsync("/api/shards?local=true")).Body, await questions.AnswerAsync("/api/shards?local=true", cancel));
        Assert.Equal((await _admin.SendAsync("/api/shards/0?local=true")).Body, await questions.AnswerAsync("/api/shards/0?local=true", cancel));
        string trace = $"/api/traces/{FakeShards.Kept}?local=true";
        Assert.Equal((await _admin.SendAsync(trace)).Body, await questions.AnswerAsync(trace, cancel));
        Assert.Contains("\"state\": \"draining\"", await questions.AnswerAsync("/api/drain?local=true&wait=0", cancel), StringComparison.Ordinal);
        Assert.Equal(1, _admin.Cluster.Drains);
        Assert.Empty(_admin.Cluster.Asked);
    }

    [Theory]
    [InlineData("", 404)]
    [InlineData("?", 404)]
    [InlineData("/metrics", 404)]
    [InlineData("/api/node?local=true", 404)]
    [InlineData("http://x/api/shards?local=true", 404)]
    [InlineData("/api/shards", 400)]
    [InlineData("/api/shards?local=false", 400)]
    [InlineData("/api/shards?local=true&local=true", 400)]
    [InlineData("/api/shards?local=true&x=%00", 400)]
    [InlineData("/api/shards/x?local=true", 400)]
    [InlineData("/api/shards/7?local=true", 404)]
    [InlineData("/api/traces/%?local=true", 400)]
    [InlineData("/api/drain?wait=0", 400)]
    public async Task Answer_WrongQuestionOfAPeer_IsAProblem(string question, int status)
    {
        using JsonDocument problem = JsonDocument.Parse(
            await _admin.Endpoint.Questions.AnswerAsync(question, TestContext.Current.CancellationToken));

        Assert.Equal(status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.Equal(0, _admin.Cluster.Drains);
    }

    [Fact]
    public async Task Answer_LongQuestionOfAPeer_IsNotEvenRead()
    {
        string answer = await _admin.Endpoint.Questions.AnswerAsync(
            "/api/traces/" + new string('a', 100_000) + "?local=true", TestContext.Current.CancellationToken);

        Assert.InRange(answer.Length, 1, 1000);
    }

    [Fact]
    public async Task Answer_OwnTurnsTaken_PeersAreStillAnswered()
    {
        TaskCompletionSource open = new();
        _admin.Shards.Before = _ => open.Task;
        Task<Answer>[] stuck = [.. Enumerable.Range(0, 4).Select(_ => _admin.SendAsync("/api/shards?local=true"))];
        _admin.Shards.Before = _ => Task.CompletedTask;

        string answer = await _admin.Endpoint.Questions.AnswerAsync("/api/shards?local=true", TestContext.Current.CancellationToken);

        Assert.Contains("\"shards\"", answer, StringComparison.Ordinal);
        open.SetResult();
        await Task.WhenAll(stuck);
    }

    private static void AssertDrain(Answer answer, int status, string node, string state, int primaries, int copies)
    {
        Assert.Equal(status, answer.Status);
        using JsonDocument drain = JsonDocument.Parse(answer.Body);
        JsonElement root = drain.RootElement;
        Assert.Equal(
            (node, state, primaries, copies),
            (root.GetProperty("node").GetString(),
             root.GetProperty("state").GetString(),
             root.GetProperty("primaries").GetInt32(),
             root.GetProperty("copies").GetInt32()));
    }
}
