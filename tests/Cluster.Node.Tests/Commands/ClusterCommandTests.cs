using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Cluster.Messages.Sharding;
using Cluster.Node.Tests.Admin;

namespace Cluster.Node.Tests.Commands;

public sealed class ClusterCommandTests : IDisposable
{
    private readonly Shell _shell = new();
    private readonly AdminFixture _admin = new(cluster: true);

    public ClusterCommandTests() => _shell.Http = () => new ToFixture(_admin);

    public void Dispose()
    {
        _shell.Dispose();
        _admin.Dispose();
    }

    [Fact]
    public async Task Status_SomethingMissing_SaysWhatAndEndsWith1()
    {
        Assert.Equal(1, await _shell.RunAsync("cluster", "status"));
        Assert.Equal(
            """
            cluster checkout: 3 nodes, 2 shards, allocation 17, coordinator node-2

            NODE    STATE    PRIMARIES  COPIES  IN SYNC  ZONE  CAPACITY  ROLES           ADDRESS        VERSION
            node-1  up               1       0        0  a            1  gateway,shards  10.0.0.1:4320  0.1.0
            node-2  up               1       1        1  b            2  gateway,shards  10.0.0.2:4320  0.1.0
            node-3  leaving          0       1        0  -            1  shards          10.0.0.3:4320  0.2.0

            1 shard without a copy in sync
            1 shard moving

            """,
            _shell.Output);
        Assert.Equal("", _shell.Error);
    }

    [Fact]
    public async Task Status_NothingMissing_IsGood()
    {
        _admin.Cluster.Allocate(FakeCluster.OwnShard, FakeCluster.OwnShard);

        Assert.Equal(0, await _shell.RunAsync("cluster", "status", "--admin", "http://127.0.0.1:8080"));
        Assert.EndsWith("\n\nevery shard has an owner and a copy in sync\n", _shell.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_NoCoordinatorAndNoOwner_AreFindings()
    {
        _admin.Cluster.Snapshot = _admin.Cluster.Snapshot with { Coordinator = default };
        _admin.Cluster.Statistics = _admin.Cluster.Statistics with { IsFenced = true };
        _admin.Cluster.Allocate(new ShardAssignment(default, 0, []), new ShardAssignment(default, 0, []));

        Assert.Equal(1, await _shell.RunAsync("cluster", "status"));
        Assert.EndsWith(
            """

            there is no coordinator at the moment: nothing is allocated anew
            node-1 cannot reach the store: what it says here may be old, and it takes no spans
            2 shards without an owner
            2 shards without a copy in sync

            """,
            _shell.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_NodeAlone_SaysSo()
    {
        using AdminFixture alone = new();
        _shell.Http = () => new ToFixture(alone);

        Assert.Equal(1, await _shell.RunAsync("cluster", "status"));
        Assert.Equal("node-1 is not in a cluster: it is a node alone and owns all its shards\n", _shell.Output);
    }

    [Theory]
    [InlineData("status", "/api/cluster")]
    [InlineData("shards", "/api/shards")]
    public async Task Any_Json_IsTheAnswer(string verb, string path)
    {
        Assert.Equal(1, await _shell.RunAsync("cluster", verb, "--output", "json"));
        Assert.Equal((await _admin.SendAsync(path)).Body + "\n", _shell.Output);
    }

    [Fact]
    public async Task Shards_OneNodeSilent_IsShownAsUnknown()
    {
        Assert.Equal(1, await _shell.RunAsync("cluster", "shards"));
        Assert.Equal(
            """
            SHARD  PRIMARY  TERM  COPIES            TRACES  SPANS  BYTES  STATE
                0  node-1      3  node-2                 1      1    100
                1  node-2      4  node-3 (filling)       ?      ?      ?  moving

            2 shards: node-1 1, node-2 1
            node-2 did not answer: what is in its shards is not known

            """,
            _shell.Output);
    }

    [Fact]
    public async Task Shards_StaleCopy_IsShownAsStale()
    {
        ShardCopy stale = FakeCluster.OwnShard.Replicas[0] with { InSync = false, IsStale = true };
        _admin.Cluster.Allocate(FakeCluster.OwnShard with { Replicas = [stale] }, FakeCluster.OwnShard);

        Assert.Equal(0, await _shell.RunAsync("cluster", "shards"));
        Assert.Contains(
            "    0  node-1      3  node-2 (stale)       1      1    100\n", _shell.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shards_NodeAlone_AreItsOwn()
    {
        using AdminFixture alone = new();
        _shell.Http = () => new ToFixture(alone);

        Assert.Equal(0, await _shell.RunAsync("cluster", "shards"));
        Assert.EndsWith("\n\n2 shards: node-1 2\n", _shell.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Drain_UntilDone_TellsEachStepOnce()
    {
        Queue<string> answers = new([Drain("draining", 2, 1), Drain("draining", 2, 1), Drain("draining", 1, 0), Drain("drained", 0, 0)]);
        List<string> asked = [];
        _shell.Http = () => new Scripted(request =>
        {
            asked.Add($"{request.Method} {request.RequestUri}");
            return Json(HttpStatusCode.OK, answers.Dequeue());
        });

        Assert.Equal(0, await _shell.RunAsync("cluster", "drain", "node-2", "--admin", "http://10.0.0.1:8080"));
        Assert.Equal(
            "node-2: draining, 2 primaries and 1 copy left\nnode-2: draining, 1 primary and 0 copies left\nnode-2: drained\n", _shell.Output);
        Assert.Equal(Enumerable.Repeat("POST http://10.0.0.1:8080/api/drain?wait=2&node=node-2", 4), asked);
    }

    [Theory]
    [InlineData("incomplete", 1, "node-2: there is no other node to take what is left, 2 primaries and 0 copies\n")]
    [InlineData("left", 0, "node-2: has left the cluster\n")]
    public async Task Drain_OtherEnds_AreTold(string state, int code, string text)
    {
        _shell.Http = () => new Scripted(_ => Json(HttpStatusCode.OK, Drain(state, 2, 0)));

        Assert.Equal(code, await _shell.RunAsync("cluster", "drain", "node-2"));
        Assert.Equal(text, _shell.Output);
    }

    [Fact]
    public async Task Drain_Json_IsTheLastAnswer()
    {
        Queue<string> answers = new([Drain("draining", 2, 1), Drain("drained", 0, 0)]);
        _shell.Http = () => new Scripted(_ => Json(HttpStatusCode.OK, answers.Dequeue()));

        Assert.Equal(0, await _shell.RunAsync("cluster", "drain", "node-2", "--output", "json"));
        using JsonDocument drain = JsonDocument.Parse(_shell.Output);
        Assert.Equal("drained", drain.RootElement.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Drain_Self_IsAboutTheNodeThatIsAsked()
    {
        List<string> asked = [];
        _shell.Http = () => new Scripted(request =>
        {
            asked.Add($"{request.Method} {request.RequestUri}");
            return Json(HttpStatusCode.OK, Drain("drained", 0, 0));
        });

        Assert.Equal(0, await _shell.RunAsync("cluster", "drain", "--self"));
        Assert.Equal(["POST http://127.0.0.1:8080/api/drain?wait=2"], asked);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Ready_OfAnyNode_IsItsReadiness(bool alone)
    {
        using AdminFixture node = new(cluster: !alone);
        _shell.Http = () => new ToFixture(node);

        Assert.Equal(0, await _shell.RunAsync("cluster", "ready"));
        Assert.Equal("ready\n", _shell.Output);

        node.Sources.Node.Draining("the process was asked to end");
        Assert.Equal(1, await _shell.RunAsync("cluster", "ready"));
        Assert.Equal("http://127.0.0.1:8080: The node is draining: the process was asked to end\n", _shell.Error);
    }

    [Fact]
    public async Task Drain_UnknownNode_SaysWhichThereAre()
    {
        Assert.Equal(1, await _shell.RunAsync("cluster", "drain", "node-9"));
        Assert.Equal("http://127.0.0.1:8080: There is no node node-9; there are node-1, node-2, node-3.\n", _shell.Error);
        Assert.Equal("", _shell.Output);
    }

    [Fact]
    public async Task Drain_NodeAlone_SaysSo()
    {
        using AdminFixture alone = new();
        _shell.Http = () => new ToFixture(alone);

        Assert.Equal(1, await _shell.RunAsync("cluster", "drain", "node-1"));
        Assert.Equal("http://127.0.0.1:8080: node-1 is alone: there is no node to take its shards.\n", _shell.Error);
    }

    [Fact]
    public async Task Any_NothingListens_IsAUsageError()
    {
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        taken.Stop();
        _shell.Http = () => new SocketsHttpHandler();

        Assert.Equal(2, await _shell.RunAsync("cluster", "status", "--admin", $"http://127.0.0.1:{port}"));
        Assert.StartsWith($"http://127.0.0.1:{port} cannot be reached: ", _shell.Error, StringComparison.Ordinal);
        Assert.EndsWith("; name the admin endpoint of a running node with --admin\n", _shell.Error, StringComparison.Ordinal);
        Assert.Equal("", _shell.Output);
    }

    [Theory]
    [InlineData(HttpStatusCode.OK, "<html>")]
    [InlineData(HttpStatusCode.OK, "{}")]
    [InlineData(HttpStatusCode.OK, "null")]
    [InlineData(HttpStatusCode.NotFound, "not found")]
    [InlineData(HttpStatusCode.NotFound, "{}")]
    public async Task Any_AnotherServer_IsAUsageError(HttpStatusCode status, string body)
    {
        _shell.Http = () => new Scripted(_ => Json(status, body));

        Assert.Equal(2, await _shell.RunAsync("cluster", "status", "--admin", "http://127.0.0.1:80"));
        Assert.Equal("http://127.0.0.1 is not the admin endpoint of a node; name one with --admin\n", _shell.Error);
    }

    [Theory]
    [InlineData("cluster")]
    [InlineData("cluster", "state")]
    [InlineData("cluster", "drain")]
    [InlineData("cluster", "drain", "node-1", "--self")]
    [InlineData("cluster", "status", "--output", "xml")]
    [InlineData("cluster", "status", "--admin", "127.0.0.1:8080")]
    [InlineData("cluster", "status", "node-1")]
    public async Task Any_WrongCommandLine_IsAUsageError(params string[] args)
    {
        Assert.Equal(2, await _shell.RunAsync(args));
        Assert.EndsWith("See actorsampling --help.\n", _shell.Error, StringComparison.Ordinal);
    }

    private static string Drain(string state, int primaries, int copies) =>
        $$"""{"node": "node-2", "state": "{{state}}", "primaries": {{primaries}}, "copies": {{copies}}}""";

    private static HttpResponseMessage Json(HttpStatusCode status, string body) => new(status) { Content = new StringContent(body) };

    private sealed class Scripted(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(answer(request));
    }

    /// <summary>Carries requests to a fixture's endpoint.</summary>
    private sealed class ToFixture(AdminFixture admin) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Answer answer = await admin.SendAsync(request.RequestUri!.PathAndQuery, request.Method.Method, request.RequestUri.Authority);
            return new HttpResponseMessage((HttpStatusCode)answer.Status) { Content = new StringContent(answer.Body, Encoding.UTF8) };
        }
    }
}
