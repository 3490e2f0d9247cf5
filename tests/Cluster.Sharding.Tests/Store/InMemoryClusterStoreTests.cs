using Cluster.Sharding.Store;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Store;

/// <summary>The contract in memory, under manual time.</summary>
public sealed class InMemoryClusterStoreTests : ClusterStoreContract
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public async Task Lease_InManualTime_EndsExactlyThen()
    {
        long lease = await Store.GrantLeaseAsync(TimeSpan.FromSeconds(10), None);
        await Store.TryCommitAsync(new([], [new("a", default, lease)], []), None);
        _time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromMilliseconds(1));
        Assert.Single((await Store.ListAsync("", None)).Entries);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Empty((await Store.ListAsync("", None)).Entries);
    }

    [Fact]
    public async Task Watch_OfWhatIsForgotten_BeginsWithASnapshot()
    {
        for (int i = 0; i <= StoreCore.DefaultHistory; i++)
        {
            await PutAsync("a", $"{i}");
        }

        await using WatchReader watch = new(Store.WatchAsync("", 0, None));
        StoreSnapshot snapshot = (await watch.NextAsync()).Snapshot!;
        Assert.Equal($"{StoreCore.DefaultHistory}", Text(Assert.Single(snapshot.Entries)));

        long next = await PutAsync("a", "next");
        Assert.Equal(next, (await watch.NextAsync()).Revision);
    }

    [Fact]
    public async Task Watch_OfAStoreThatIsDisposedOf_Ends()
    {
        await using WatchReader watch = new(Store.WatchAsync("", 0, None));
        Task<StoreChanges> next = watch.NextAsync();
        await Store.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => next);
    }

    protected override ValueTask<IClusterStore> CreateAsync() => new(new InMemoryClusterStore(_time));

    protected override async Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        await Task.Yield();
    }
}
