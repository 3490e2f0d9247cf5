using System.Net;
using Cluster.Sharding.Store;
using Cluster.Testing;
using static Cluster.Sharding.Tests.Store.ScriptedEtcd;

namespace Cluster.Sharding.Tests.Store;

/// <summary>What the store makes of answers that a real etcd gives rarely or never. Key <c>a</c> of cluster <c>c</c> in base64:
/// <c>L2FjdG9yc2FtcGxpbmcvYy9h</c>.</summary>
public sealed class EtcdAnswerTests
{
    private const string Key = "L2FjdG9yc2FtcGxpbmcvYy9h";
    private const string Unavailable = """{"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14}""";
    private const string Committed = """{"header":{"revision":"7"},"succeeded":true}""";

    private static readonly StoreTransaction Change = new([new("a", 5)], [new("a", new byte[] { 1 }, 9)], ["b"]);

    private readonly ManualTimeProvider _time = new();

    [Fact]
    public async Task Requests_Of_EachKind_AreAsEtcdWantsThem()
    {
        ScriptedEtcd etcd = new(_ => Json("""{"header":{"revision":"7"},"ID":"3","TTL":"5"}"""));
        await using EtcdClusterStore store = Store(etcd);

        await store.ListAsync("", default);
        await store.TryCommitAsync(Change, default);
        Assert.Equal(3, await store.GrantLeaseAsync(TimeSpan.FromSeconds(4.1), default));
        await store.RevokeLeaseAsync(3, default);

        Assert.Equal(
            [
                ("/v3/kv/range", """{"key":"L2FjdG9yc2FtcGxpbmcvYy8=","range_end":"L2FjdG9yc2FtcGxpbmcvYzA="}"""),
                ("/v3/kv/txn", """{"compare":[{"key":"L2FjdG9yc2FtcGxpbmcvYy9h","mod_revision":"5","target":"MOD","result":"EQUAL"}]"""
                    + ""","success":[{"request_put":{"key":"L2FjdG9yc2FtcGxpbmcvYy9h","value":"AQ==","lease":"9"}},"""
                    + """{"request_delete_range":{"key":"L2FjdG9yc2FtcGxpbmcvYy9i"}}]}"""),
                ("/v3/lease/grant", """{"TTL":"5"}"""),
                ("/v3/lease/revoke", """{"ID":"3"}"""),
            ],
            etcd.Requests.Select(asked => (asked.Path, asked.Body)));
    }

    [Theory]
    [InlineData(Unavailable, HttpStatusCode.ServiceUnavailable)]
    [InlineData("Not Found", HttpStatusCode.NotFound)]
    [InlineData("", HttpStatusCode.BadGateway)]
    [InlineData("<html></html>", HttpStatusCode.OK)]
    [InlineData("", HttpStatusCode.OK)]
    [InlineData("null", HttpStatusCode.OK)]
    [InlineData("[]", HttpStatusCode.OK)]
    [InlineData("""{"header":{"revision":"many"}}""", HttpStatusCode.OK)]
    [InlineData("""{"kvs":7}""", HttpStatusCode.OK)]
    public async Task List_AnsweredWithoutSense_GoesToTheNextEndpoint(string body, HttpStatusCode status)
    {
        ScriptedEtcd etcd = new(asked => asked.Host == "first" ? Json(body, status) : Json("""{"header":{"revision":"7"}}"""));
        for (int seed = 0; seed < 4; seed++)
        {
            await using EtcdClusterStore store = Store(etcd, seed);
            Assert.Equal(7, (await store.ListAsync("", default)).Revision);
        }

        Assert.Contains(etcd.Requests, asked => asked.Host == "first");
    }

    [Theory]
    [InlineData("""{"kvs":[null]}""")]
    [InlineData("""{"kvs":[{}]}""")]
    [InlineData("""{"kvs":[{"key":"YQ=="}]}""")]
    public async Task List_OfKeysThatAreNotOurs_IsAnError(string body)
    {
        await using EtcdClusterStore store = Store(new ScriptedEtcd(_ => Json(body)));
        await Assert.ThrowsAsync<ClusterStoreException>(() => store.ListAsync("", default));
    }

    [Fact]
    public async Task List_AnsweredWithoutEnd_IsGivenUp()
    {
        ScriptedEtcd etcd = new(_ => new(HttpStatusCode.OK) { Content = new StreamContent(new EndlessStream()) });
        await using EtcdClusterStore store = Store(etcd);
        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.ListAsync("", default));
        Assert.Contains("more than", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnEndpoint_ThatFailed_IsPutAsideForAMoment()
    {
        bool down = true;
        ScriptedEtcd etcd = new(asked => down && asked.Host == "first" ? Json(Unavailable, HttpStatusCode.ServiceUnavailable) : Json("{}"));
        await using EtcdClusterStore store = Store(etcd, HostsFirst("first"));
        await store.ListAsync("", default);
        await store.ListAsync("", default);
        Assert.Equal(["first", "second", "second"], etcd.Requests.Select(asked => asked.Host));

        // The other one fails in its turn: better one put aside than none.
        etcd.Requests.Clear();
        down = false;
        _time.Advance(TimeSpan.FromSeconds(5));
        await store.ListAsync("", default);
        Assert.Equal(["second"], etcd.Requests.Select(asked => asked.Host));
    }

    [Fact]
    public async Task TryCommit_WithoutAnAnswer_IsNotRepeated()
    {
        ScriptedEtcd etcd = new(asked => asked.Host == "first" ? throw new IOException("connection reset") : Json(Committed));
        await using EtcdClusterStore store = Store(etcd, HostsFirst("first"));
        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.TryCommitAsync(Change, default));
        Assert.Contains("http://first:2379: connection reset", error.Message, StringComparison.Ordinal);
        Assert.Single(etcd.Requests);

        Assert.Equal(7, await store.TryCommitAsync(Change, default));
    }

    [Fact]
    public async Task TryCommit_WithoutAConnection_GoesToTheNextEndpoint()
    {
        ScriptedEtcd etcd = new(asked =>
            asked.Host == "first" ? throw new HttpRequestException(HttpRequestError.ConnectionError, "refused") : Json(Committed));
        await using EtcdClusterStore store = Store(etcd, HostsFirst("first"));
        Assert.Equal(7, await store.TryCommitAsync(Change, default));
        Assert.Equal(["first", "second"], etcd.Requests.Select(asked => asked.Host));
    }

    [Fact]
    public async Task TryCommit_Refused_IsNotAskedElsewhere()
    {
        ScriptedEtcd etcd = new(_ => Json("""{"error":"x","message":"etcdserver: request is too large","code":3}""", HttpStatusCode.BadRequest));
        await using EtcdClusterStore store = Store(etcd);
        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.TryCommitAsync(Change, default));
        Assert.EndsWith("refused /v3/kv/txn: etcdserver: request is too large", error.Message, StringComparison.Ordinal);
        Assert.Single(etcd.Requests);
    }

    [Theory]
    [InlineData("""{"result":{"ID":"3","TTL":"5"}}""", true)]
    [InlineData("""{"result":{"ID":"3"}}""", false)]
    [InlineData("""{"result":{"ID":"3","TTL":"-1"}}""", false)]
    public async Task KeepAlive_Answered_IsTrueWhileTimeIsLeft(string line, bool alive)
    {
        // The stream stays open: one line is enough.
        await using EtcdClusterStore store = Store(new ScriptedEtcd(_ => new Lines().Add(line).ToResponse()));
        Assert.Equal(alive, await store.KeepAliveAsync(3, default));
    }

    [Fact]
    public async Task KeepAlive_AnsweredByAnErrorInTheStream_SaysIt()
    {
        const string Denied = """{"error":{"grpc_code":7,"http_code":403,"message":"etcdserver: permission denied"}}""";
        await using EtcdClusterStore store = Store(new ScriptedEtcd(_ => new Lines().Add(Denied).ToResponse()));
        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.KeepAliveAsync(3, default));
        Assert.EndsWith("etcdserver: permission denied", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"message":"etcdserver: invalid auth token","code":16}""", HttpStatusCode.Unauthorized)]
    [InlineData("""{"message":"etcdserver: revision of auth store is old","code":3}""", HttpStatusCode.BadRequest)]
    public async Task AToken_ThatIsRefused_IsRefreshedOnce(string refusal, HttpStatusCode status)
    {
        int tokens = 0;
        ScriptedEtcd etcd = new(asked => asked.Path == "/v3/auth/authenticate"
            ? Json($$"""{"token":"token{{++tokens}}"}""")
            : asked.Token == "token1" && tokens == 1 && asked.Path == "/v3/kv/txn" ? Json(refusal, status) : Json(Committed));
        await using EtcdClusterStore store = Store(etcd, password: "secret");
        await store.ListAsync("", default);
        Assert.Equal(7, await store.TryCommitAsync(Change, default));
        Assert.Equal(
            [
                ("/v3/auth/authenticate", null), ("/v3/kv/range", "token1"), ("/v3/kv/txn", "token1"),
                ("/v3/auth/authenticate", null), ("/v3/kv/txn", "token2"),
            ],
            etcd.Requests.Select(asked => (asked.Path, asked.Token)));
        Assert.Equal("""{"name":"user","password":"secret"}""", etcd.Requests[0].Body);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_ThatIsSilent_IsMadeAnewWhereItWas(bool closedWhenCancelled)
    {
        Queue<Lines> bodies = new(
        [
            new Lines { ClosedWhenCancelled = closedWhenCancelled }.Add(Created(7)).Add(Put(8)),
            new Lines { ClosedWhenCancelled = closedWhenCancelled },
        ]);
        Lines second = bodies.ElementAt(1);

        // Time may pass faster than lines are read: then what has lines is taken for silent, too.
        ScriptedEtcd etcd = new(_ => (bodies.TryDequeue(out Lines? body) ? body : new Lines().Add(Created(8)).Add(Put(9))).ToResponse());
        await using EtcdClusterStore store = Store(etcd);
        await using WatchReader watch = new(store.WatchAsync("", 7, default));
        Assert.Equal(8, (await watch.NextAsync()).Revision);

        Task<StoreChanges> next = watch.NextAsync();
        second.Add(Created(8));
        await AdvanceUntilAsync(next);

        Assert.Equal(9, (await next).Revision);
        Assert.Equal(["8", "9", "9"], etcd.Requests.Take(3).Select(StartRevision));
        Assert.All(etcd.Requests.Skip(3), asked => Assert.Equal("9", StartRevision(asked)));
    }

    [Fact]
    public async Task Watch_ThatBreaks_IsMadeAnewWhereItWas()
    {
        // The second revision was not whole.
        Queue<Lines> bodies = new(
        [
            new Lines().Add(Created(7)).Add(Put(8)).Add(Fragment(9)).Break(),
        ]);
        ScriptedEtcd etcd = new(_ => (bodies.TryDequeue(out Lines? body) ? body : new Lines().Add(Created(9)).Add(Put(9))).ToResponse());
        await using EtcdClusterStore store = Store(etcd);
        await using WatchReader watch = new(store.WatchAsync("", 7, default));
        Assert.Equal(8, (await watch.NextAsync()).Revision);
        Task<StoreChanges> next = watch.NextAsync();
        await AdvanceUntilAsync(next);
        Assert.Equal(9, (await next).Revision);
        Assert.Equal(["8", "9"], etcd.Requests.Take(2).Select(StartRevision));
        Assert.All(etcd.Requests.Skip(2), asked => Assert.Equal("9", StartRevision(asked)));
    }

    [Fact]
    public async Task Watch_OfAnEtcdThatLostItsData_BeginsWithASnapshot()
    {
        ScriptedEtcd etcd = new(asked => asked.Path == "/v3/watch"
            ? new Lines().Add(Created(2)).Add(Put(3)).ToResponse()
            : Json($$"""{"header":{"revision":"2"},"kvs":[{"key":"{{Key}}","create_revision":"2","mod_revision":"2"}]}"""));
        await using EtcdClusterStore store = Store(etcd);
        await using WatchReader watch = new(store.WatchAsync("", 500, default));
        StoreChanges changes = await watch.NextAsync();
        Assert.Equal(2, changes.Revision);
        Assert.Equal("a", Assert.Single(changes.Snapshot!.Entries).Key);
        Assert.Equal(3, (await watch.NextAsync()).Revision);
    }

    [Fact]
    public async Task Watch_OfALineWithoutEnd_ListsInstead()
    {
        int watches = 0;
        ScriptedEtcd etcd = new(asked => asked.Path != "/v3/watch" ? Json("""{"header":{"revision":"20"}}""")
            : ++watches == 1 ? new(HttpStatusCode.OK) { Content = new StreamContent(new EndlessStream(Created(7) + "\n")) }
            : new Lines().Add(Created(20)).Add(Put(21)).ToResponse());
        await using EtcdClusterStore store = Store(etcd);
        await using WatchReader watch = new(store.WatchAsync("", 7, default));
        Assert.Equal(20, (await watch.NextAsync()).Snapshot!.Revision);
        Assert.Equal(21, (await watch.NextAsync()).Revision);
    }

    private static string Created(long revision) => $$$"""{"result":{"header":{"revision":"{{{revision}}}"},"created":true}}""";

    private static string Put(long revision) =>
        $$$"""{"result":{"events":[{"kv":{"key":"{{{Key}}}","create_revision":"1","mod_revision":"{{{revision}}}"}}]}}""";

    private static string Fragment(long revision) => Put(revision).Replace("\"events\"", "\"fragment\":true,\"events\"", StringComparison.Ordinal);

    private static string StartRevision(Asked asked) => asked.Body.Split("\"start_revision\":\"")[1].Split('"')[0];

    /// <summary>A seed that lets a store begin with a host.</summary>
    private static int HostsFirst(string host) => Enumerable.Range(0, 100).First(seed => new Random(seed).Next(2) == (host == "first" ? 0 : 1));

    private async Task AdvanceUntilAsync(Task done)
    {
        while (!done.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
    }

    private EtcdClusterStore Store(ScriptedEtcd etcd, int seed = 1, string? password = null) => new(
        new EtcdOptions
        {
            Endpoints = [new("http://first:2379"), new("http://second:2379")],
            Cluster = "c",
            Username = password is null ? null : "user",
            Password = password,
        },
        _time,
        new Random(seed),
        problem: null,
        etcd);

    /// <summary>Some bytes, and then x for ever.</summary>
    private sealed class EndlessStream(string start = "") : MemoryStream(System.Text.Encoding.UTF8.GetBytes(start))
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = Read(buffer.Span);
            if (read == 0)
            {
                buffer.Span.Fill((byte)'x');
                read = buffer.Length;
            }

            return new(read);
        }
    }
}
