using Cluster.Sharding.Store;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Store;

/// <summary>One etcd for a class of tests.</summary>
public sealed class EtcdFixture : IAsyncLifetime
{
    public EtcdProcess Etcd { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Etcd = await EtcdProcess.StartAsync();

    public ValueTask DisposeAsync() => Etcd.DisposeAsync();
}

/// <summary>The contract against a real etcd; each test is a cluster of its own.</summary>
public sealed class EtcdClusterStoreTests(EtcdFixture fixture) : ClusterStoreContract, IClassFixture<EtcdFixture>
{
    [Fact]
    public async Task List_OfAnotherCluster_IsNotOurs()
    {
        await PutAsync("a", "1");
        await using EtcdClusterStore other = new(Options("other"), TimeProvider.System, new Random(1));
        Assert.Empty((await other.ListAsync("", None)).Entries);
    }

    [Fact]
    public async Task Watch_OfWhatIsCompacted_BeginsWithASnapshot()
    {
        long start = await PutAsync("a", "1");
        await PutAsync("b", "2");
        long last = await PutAsync("a", "3");
        await fixture.Etcd.PostAsync("/v3/kv/compaction", $$"""{"revision":"{{last}}","physical":true}""");

        await using WatchReader watch = new(Store.WatchAsync("", start, None));
        StoreChanges changes = await watch.NextAsync();

        Assert.Equal(["3", "2"], changes.Snapshot!.Entries.Select(Text));
        Assert.True(changes.Revision >= last);
        Assert.Empty(changes.Put);

        long next = await PutAsync("b", "4");
        Assert.Equal(next, (await watch.NextAsync()).Revision);
    }

    [Fact]
    public async Task Watch_ThatIsOftenMadeAnew_LosesNothing()
    {
        EtcdOptions options = new()
        {
            Endpoints = [fixture.Etcd.Endpoint],
            Cluster = Guid.NewGuid().ToString("N"),
            WatchRenewal = TimeSpan.FromMilliseconds(5),
        };
        await using EtcdClusterStore store = new(options, TimeProvider.System, new Random(1));
        await using WatchReader watch = new(store.WatchAsync("", (await store.ListAsync("", None)).Revision, None));
        for (int i = 0; i < 50; i++)
        {
            Task<StoreChanges> next = watch.NextAsync();
            for (int j = 0; j < i % 5; j++)
            {
                await store.ListAsync("", None);
            }

            long? revision = await store.TryCommitAsync(new([], [new("a", default)], []), None);
            Assert.Equal(revision, (await next).Revision);
        }
    }

    [Fact]
    public async Task AnyRequest_WithOneEndpointDead_GoesToTheOther()
    {
        Uri dead = new($"http://127.0.0.1:{EtcdProcess.FreePort()}");
        for (int seed = 0; seed < 4; seed++)
        {
            EtcdOptions options = new() { Endpoints = [dead, fixture.Etcd.Endpoint], Cluster = Guid.NewGuid().ToString("N") };
            await using EtcdClusterStore store = new(options, TimeProvider.System, new Random(seed));

            long? revision = await store.TryCommitAsync(new([new("a", 0)], [new("a", default)], []), None);
            long lease = await store.GrantLeaseAsync(TimeSpan.FromSeconds(60), None);
            Assert.True(await store.KeepAliveAsync(lease, None));
            await store.RevokeLeaseAsync(lease, None);
            await using WatchReader watch = new(store.WatchAsync("", revision!.Value - 1, None));
            Assert.Equal(revision, (await watch.NextAsync()).Revision);
            Assert.Single((await store.ListAsync("", None)).Entries);
        }
    }

    [Fact]
    public async Task AnyRequest_WithAllEndpointsDead_FailsAndNamesThem()
    {
        Uri[] dead = [new($"http://127.0.0.1:{EtcdProcess.FreePort()}"), new($"http://127.0.0.1:{EtcdProcess.FreePort()}")];
        List<string> problems = [];
        EtcdOptions options = new() { Endpoints = dead, Cluster = "test" };
        await using EtcdClusterStore store = new(options, TimeProvider.System, new Random(1), problems.Add);

        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.ListAsync("", None));

        Assert.All(dead, endpoint => Assert.Contains($"127.0.0.1:{endpoint.Port}: Connection refused", error.Message, StringComparison.Ordinal));
        Assert.Equal(2, problems.Count);
    }

    protected override ValueTask<IClusterStore> CreateAsync() =>
        new(new EtcdClusterStore(Options(Guid.NewGuid().ToString("N")), TimeProvider.System, new Random(1)));

    /// <summary>It passes by itself.</summary>
    protected override Task PassAsync(TimeSpan time) => Task.Delay(time);

    private EtcdOptions Options(string cluster) => new() { Endpoints = [fixture.Etcd.Endpoint], Cluster = cluster };
}
