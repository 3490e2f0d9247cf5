namespace Cluster.Node.Tests.Admin;

/// <summary>Every JSON answer, letter by letter.</summary>
public sealed class AdminGoldenTests : IDisposable
{
    private readonly AdminFixture _admin = new();

    public void Dispose() => _admin.Dispose();

    [Theory]
    [InlineData("/healthz", "healthz")]
    [InlineData("/readyz", "readyz")]
    [InlineData("/api/node", "node")]
    [InlineData("/api/cluster", "cluster-single")]
    [InlineData("/api/shards", "shards")]
    [InlineData("/api/shards/1", "shard")]
    [InlineData("/api/traces", "traces-pending")]
    [InlineData("/api/traces?state=decided&limit=2", "traces-decided")]
    [InlineData("/api/traces?state=sampled", "traces-sampled")]
    [InlineData("/api/traces?state=not_sampled", "traces-not-sampled")]
    [InlineData("/api/traces?state=dropped", "traces-dropped")]
    [InlineData("/api/traces/0102030405060708090A0b0c0d0e0f10", "trace-pending")]
    [InlineData("/api/traces/aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", "trace-decided")]
    [InlineData("/api/doors", "doors")]
    [InlineData("/api/policies", "policies")]
    [InlineData("/api/exporters", "exporters")]
    public async Task HandleAsync_FixedWorld_AnswersExactly(string target, string golden)
    {
        Answer answer = await _admin.SendAsync(target);

        Assert.Equal(200, answer.Status);
        Assert.Equal("application/json", answer.ContentType);
        Repository.AssertGolden($"tests/Cluster.Node.Tests/Admin/Golden/{golden}.json", answer.Body + "\n");
    }
}
