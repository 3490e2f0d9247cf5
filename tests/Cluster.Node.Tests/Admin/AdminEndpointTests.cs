using System.Text;
using System.Text.Json;
using Cluster.Node.Admin;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Tests.Admin;

public sealed class AdminEndpointTests : IDisposable
{
    private readonly AdminFixture _admin = new();

    public void Dispose() => _admin.Dispose();

    [Fact]
    public async Task HandleAsync_Index_ListsEveryPath()
    {
        Answer answer = await _admin.SendAsync("/");

        Assert.Equal(200, answer.Status);
        Assert.Equal("text/plain; charset=utf-8", answer.ContentType);
        Assert.All(_admin.Endpoint.Routes.All, route => Assert.Contains($"\n{route.Template} ", answer.Body, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/api/trace")]
    [InlineData("/api/shards/1/traces")]
    [InlineData("/API/node")]
    [InlineData("//")]
    public async Task HandleAsync_UnknownPath_404NamesThePathsThereAre(string path)
    {
        Answer answer = await _admin.SendAsync(path);

        AssertProblem(answer, 404, "No such path", $"There is no {path}; there are /, /healthz, /readyz, /metrics, /api/node, ");
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("DELETE")]
    [InlineData("OPTIONS")]
    public async Task HandleAsync_OtherMethod_405SaysWhichAreAllowed(string method)
    {
        Answer answer = await _admin.SendAsync("/api/traces/2a", method);

        Assert.Equal("GET, HEAD", answer.Headers.Allow);
        AssertProblem(answer, 405, "Method not allowed", "/api/traces/{traceId} is read-only; use GET or HEAD.");
    }

    [Fact]
    public async Task HandleAsync_Head_SameHeadersWithoutBody()
    {
        Answer get = await _admin.SendAsync("/api/shards");
        Answer head = await _admin.SendAsync("/api/shards", "HEAD");

        Assert.Equal(200, head.Status);
        Assert.Equal(get.Headers.ContentLength, head.Headers.ContentLength);
        Assert.Equal("", head.Body);
    }

    [Fact]
    public async Task HandleAsync_AnyAnswer_IsNeitherCachedNorGuessed()
    {
        Answer answer = await _admin.SendAsync("/api/node");

        Assert.Equal("no-store", answer.Headers.CacheControl);
        Assert.Equal("nosniff", answer.Headers.XContentTypeOptions);
    }

    [Fact]
    public async Task HandleAsync_TrailingSlash_IsIgnored()
    {
        Assert.Equal(200, (await _admin.SendAsync("/api/shards/")).Status);
        Assert.Equal(200, (await _admin.SendAsync("/api/shards/1/")).Status);
    }

    [Theory]
    [InlineData("/api/traces?state=lost", "Unknown state 'lost'; it is one of pending, sampled, not_sampled, dropped, decided.")]
    [InlineData("/api/traces?state=", "Unknown state ''; it is one of pending, sampled, not_sampled, dropped, decided.")]
    [InlineData("/api/traces?sort=name", "Unknown sort 'name'; it is one of size, age.")]
    [InlineData("/api/traces?state=dropped&sort=age", "sort goes with state=pending only; state=dropped shows the newest decisions first.")]
    [InlineData("/api/traces?limit=0", "limit '0' is out of range; it is a whole number from 1 to 1000.")]
    [InlineData("/api/traces?limit=1001", "limit '1001' is out of range; it is a whole number from 1 to 1000.")]
    [InlineData("/api/traces?limit=-1", "limit '-1' is out of range; it is a whole number from 1 to 1000.")]
    [InlineData("/api/traces?limit=ten", "limit 'ten' is out of range; it is a whole number from 1 to 1000.")]
    [InlineData("/api/traces?limit=1&limit=2", "Query parameter 'limit' is given 2 times; give it once.")]
    [InlineData("/api/traces?stat=pending", "Unknown query parameter 'stat'; /api/traces takes state, sort, limit.")]
    [InlineData("/api/node?pretty=1", "Unknown query parameter 'pretty'; /api/node takes no parameters.")]
    [InlineData("/metrics?suffixes=yes", "Unknown suffixes 'yes'; it is one of false, true.")]
    [InlineData("/api/traces/2a", "'2a' is no trace ID; it is 32 hexadecimal digits, not all zero.")]
    [InlineData("/api/traces/00000000000000000000000000000000", "'00000000000000000000000000000000' is no trace ID; it is 32 hexadecimal digits, not all zero.")]
    [InlineData("/api/shards/first", "'first' is no shard ID; it is a whole number from 0 to 1.")]
    public async Task HandleAsync_BadParameter_400SaysWhatWouldBeRight(string target, string detail)
    {
        Answer answer = await _admin.SendAsync(target);

        AssertProblem(answer, 400, "Bad parameter", detail);
    }

    [Theory]
    [InlineData("/api/shards/2", "No such shard", "There is no shard 2 on this node; shards go from 0 to 1.")]
    [InlineData("/api/traces/000000000000000000000000000000ff", "No such trace", "Trace 000000000000000000000000000000ff is neither pending nor remembered")]
    public async Task HandleAsync_UnknownThing_404SaysWhy(string target, string title, string detail)
    {
        Answer answer = await _admin.SendAsync(target);

        AssertProblem(answer, 404, title, detail);
    }

    [Fact]
    public async Task HandleAsync_LongParameter_IsCutInTheAnswer()
    {
        Answer answer = await _admin.SendAsync("/api/traces/" + new string('a', 5000));

        AssertProblem(answer, 400, "Bad parameter", $"'{new string('a', 100)}…' is no trace ID");
    }

    [Theory]
    [InlineData("/api/traces", 100)]
    [InlineData("/api/traces?limit=1000", 1000)]
    [InlineData("/api/traces?state=decided&limit=7", 7)]
    public async Task HandleAsync_Limit_IsAskedForAndDefaultsTo100(string target, int limit)
    {
        await _admin.SendAsync(target);

        Assert.Equal(limit, _admin.Shards.Limit);
    }

    [Fact]
    public async Task HandleAsync_ShardsAnswerMoreThanTheLimit_AnswerIsCut()
    {
        using JsonDocument answer = JsonDocument.Parse((await _admin.SendAsync("/api/traces?limit=1")).Body);

        Assert.Equal(1, answer.RootElement.GetProperty("traces").GetArrayLength());
    }

    [Fact]
    public async Task HandleAsync_SortByAge_OldestFirst()
    {
        using JsonDocument answer = JsonDocument.Parse((await _admin.SendAsync("/api/traces?state=pending&sort=age")).Body);

        Assert.Equal(FakeShards.Old.ToString(), answer.RootElement.GetProperty("traces")[0].GetProperty("traceId").GetString());
    }

    [Fact]
    public async Task HandleAsync_ReadyzThroughALife_503UntilReadyAndWhileDraining()
    {
        _admin.Node.Starting("reading the journal");
        AssertProblem(await _admin.SendAsync("/readyz"), 503, "Not ready", "The node is starting: reading the journal");

        _admin.Node.Ready();
        Assert.Equal(200, (await _admin.SendAsync("/readyz")).Status);

        _admin.Node.Draining("SIGTERM");
        AssertProblem(await _admin.SendAsync("/readyz"), 503, "Not ready", "The node is draining: SIGTERM");
        Assert.Equal(200, (await _admin.SendAsync("/healthz?probe=1")).Status);
    }

    [Fact]
    public async Task HandleAsync_ShardsDoNotAnswer_503AfterTheTimeout()
    {
        _admin.Shards.Before = _ => Task.Delay(Timeout.Infinite, CancellationToken.None);

        Task<Answer> pending = _admin.SendAsync("/api/shards");
        _admin.Time.Advance(AdminEndpoint.Timeout - TimeSpan.FromTicks(1));
        Assert.False(pending.IsCompleted);
        _admin.Time.Advance(TimeSpan.FromTicks(1));

        Answer answer = await pending;
        Assert.Equal("1", answer.Headers.RetryAfter);
        AssertProblem(answer, 503, "No answer in time", "The shards did not answer within 5 seconds; try again.");
        Assert.Equal(EventIds.AdminRequestTimedOut, Assert.Single(_admin.Logger.Entries).Event.Id);
    }

    [Fact]
    public async Task HandleAsync_ShardsStuck_HealthAndMetricsStillAnswer()
    {
        _admin.Shards.Before = _ => Task.Delay(Timeout.Infinite, CancellationToken.None);
        Task<Answer>[] stuck = [.. Enumerable.Range(0, 6).Select(_ => _admin.SendAsync("/api/shards"))];

        Assert.Equal(200, (await _admin.SendAsync("/healthz")).Status);
        Assert.Equal(200, (await _admin.SendAsync("/readyz")).Status);
        Assert.Equal(200, (await _admin.SendAsync("/metrics")).Status);
        Assert.Equal(200, (await _admin.SendAsync("/api/node")).Status);

        _admin.Time.Advance(AdminEndpoint.Timeout);
        Assert.All(await Task.WhenAll(stuck), answer => Assert.Equal(503, answer.Status));
    }

    [Fact]
    public async Task HandleAsync_ManyQuestions_AtMostFourAtATime()
    {
        TaskCompletionSource open = new();
        int asked = 0;
        _admin.Shards.Before = _ =>
        {
            Interlocked.Increment(ref asked);
            return open.Task;
        };

        Task<Answer>[] answers = [.. Enumerable.Range(0, 10).Select(_ => _admin.SendAsync("/api/shards"))];
        Assert.Equal(4, asked);
        open.SetResult();

        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(10, asked);
    }

    [Fact]
    public async Task HandleAsync_ClientGone_QuestionIsGivenUpQuietly()
    {
        using CancellationTokenSource gone = new();
        _admin.Shards.Before = cancel => Task.Delay(Timeout.Infinite, cancel);

        Task<Answer> pending = _admin.SendAsync("/api/shards", client: gone);
        await gone.CancelAsync();

        Assert.Equal("", (await pending).Body);
        Assert.Empty(_admin.Logger.Entries);
    }

    [Fact]
    public async Task HandleAsync_UnexpectedError_500WithoutDetailsAndLogged()
    {
        _admin.Shards.Before = _ => throw new InvalidOperationException("secret");

        Answer answer = await _admin.SendAsync("/api/traces");

        AssertProblem(answer, 500, "Internal error", "The answer could not be made; the node's log says why.");
        Assert.DoesNotContain("secret", answer.Body, StringComparison.Ordinal);
        var entry = Assert.Single(_admin.Logger.Entries);
        Assert.Equal((EventIds.AdminRequestFailed, "Admin request /api/traces failed", "secret"), (entry.Event.Id, entry.Text, entry.Exception!.Message));
    }

    [Theory]
    [InlineData("127.0.0.1:8080", 200)]
    [InlineData("[::1]:8080", 200)]
    [InlineData("localhost", 200)]
    [InlineData("LOCALHOST:8080", 200)]
    [InlineData("admin.localhost:9", 200)]
    [InlineData("evil.example:8080", 403)]
    [InlineData("localhost.evil.example", 403)]
    [InlineData("", 200)]
    public async Task HandleAsync_OnLoopback_ForeignHostNamesAreRefused(string host, int status)
    {
        Assert.Equal(status, (await _admin.SendAsync("/api/traces", host: host)).Status);
    }

    [Theory]
    [InlineData("0.0.0.0:8080", 200)]
    [InlineData(":8080", 200)]
    [InlineData("localhost:8080", 403)]
    [InlineData("[::1]:8080", 403)]
    public async Task HandleAsync_AnyHostName_IsAnsweredUnlessOnLoopback(string endpoint, int status)
    {
        using AdminEndpoint admin = new(new AdminOptions { Endpoint = endpoint }, _admin.Sources, _admin.Time, _admin.Logger);
        Microsoft.AspNetCore.Http.DefaultHttpContext context = new();
        context.Request.Method = "GET";
        context.Request.Path = "/healthz";
        context.Request.Host = new("node-1.example:8080");

        await admin.HandleAsync(context);

        Assert.Equal(status, context.Response.StatusCode);
    }

    [Fact]
    public void Problem_HalfASurrogatePair_IsReplaced()
    {
        AdminReply reply = AdminReply.Problem(400, "t", "a\ud83d");

        using JsonDocument problem = JsonDocument.Parse(reply.Body);
        Assert.Equal("a\ufffd", problem.RootElement.GetProperty("detail").GetString());
        Assert.DoesNotContain("\\u003", Encoding.UTF8.GetString(AdminReply.Problem(400, "t", "1 >= 0 & <b>").Body), StringComparison.Ordinal);
    }

    private static void AssertProblem(Answer answer, int status, string title, string detailStart)
    {
        Assert.Equal(status, answer.Status);
        Assert.Equal("application/problem+json", answer.ContentType);
        using JsonDocument problem = JsonDocument.Parse(answer.Body);
        Assert.Equal("about:blank", problem.RootElement.GetProperty("type").GetString());
        Assert.Equal(title, problem.RootElement.GetProperty("title").GetString());
        Assert.Equal(status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.StartsWith(detailStart, problem.RootElement.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }
}
