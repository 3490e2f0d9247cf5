using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>Leases.</summary>
public abstract partial class ClusterStoreContract
{
    [Fact]
    public async Task GrantLease_Twice_GivesTwo()
    {
        long first = await Store.GrantLeaseAsync(LongLease, None);
        long second = await Store.GrantLeaseAsync(LongLease, None);
        Assert.NotEqual(0, first);
        Assert.NotEqual(0, second);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public async Task KeepAlive_OfALease_SaysWhetherItLives()
    {
        long lease = await Store.GrantLeaseAsync(LongLease, None);
        Assert.True(await Store.KeepAliveAsync(lease, None));
        await Store.RevokeLeaseAsync(lease, None);
        Assert.False(await Store.KeepAliveAsync(lease, None));
        Assert.False(await Store.KeepAliveAsync(long.MaxValue, None));
    }

    [Fact]
    public async Task RevokeLease_ThatEnded_IsNoError()
    {
        long lease = await Store.GrantLeaseAsync(LongLease, None);
        await Store.RevokeLeaseAsync(lease, None);
        await Store.RevokeLeaseAsync(lease, None);
    }

    [Fact]
    public async Task RevokeLease_WithKeys_RemovesThemAtOneRevision()
    {
        long lease = await Store.GrantLeaseAsync(LongLease, None);
        long? revision = await CommitAsync(puts: ["a", "b", "c"], lease: lease);
        Assert.All((await Store.ListAsync("", None)).Entries, entry => Assert.Equal(lease, entry.Lease));

        await Store.RevokeLeaseAsync(lease, None);

        Assert.Empty((await Store.ListAsync("", None)).Entries);
        await using WatchReader watch = new(Store.WatchAsync("", revision!.Value, None));
        Assert.Equal(["a", "b", "c"], (await watch.NextAsync()).Deleted.Order());
    }

    [Fact]
    public async Task RevokeLease_OfAKeysFormerLease_LeavesTheKey()
    {
        long former = await Store.GrantLeaseAsync(LongLease, None);
        long other = await Store.GrantLeaseAsync(LongLease, None);
        await CommitAsync(puts: ["a", "b", "c", "d"], lease: former);
        await CommitAsync(puts: ["a"]);
        await CommitAsync(puts: ["b"], lease: other);
        await CommitAsync(deletes: ["c"]);
        await CommitAsync(puts: ["c"]);

        await Store.RevokeLeaseAsync(former, None);

        Assert.Equal(
            [("a", 0), ("b", other), ("c", 0)],
            (await Store.ListAsync("", None)).Entries.Select(entry => (entry.Key, entry.Lease)));
    }

    [Fact]
    public async Task Lease_ThatIsNotKeptAlive_EndsWithItsKeys()
    {
        long kept = await Store.GrantLeaseAsync(ShortestLease, None);
        long left = await Store.GrantLeaseAsync(ShortestLease, None);
        await CommitAsync(puts: ["kept"], lease: kept);
        long? revision = await CommitAsync(puts: ["left/1", "left/2"], lease: left);
        await using WatchReader watch = new(Store.WatchAsync("", revision!.Value, None));

        Task<StoreChanges> next = watch.NextAsync();
        while (!next.IsCompleted)
        {
            Assert.True(await Store.KeepAliveAsync(kept, None));
            await PassAsync(ShortestLease / 5);
        }

        Assert.Equal(["left/1", "left/2"], (await next).Deleted.Order());
        Assert.False(await Store.KeepAliveAsync(left, None));
        Assert.Equal(["kept"], (await Store.ListAsync("", None)).Entries.Select(entry => entry.Key));
    }
}
