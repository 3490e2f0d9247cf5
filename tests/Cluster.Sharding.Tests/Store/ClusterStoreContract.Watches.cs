using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>Watches.</summary>
public abstract partial class ClusterStoreContract
{
    [Fact]
    public async Task Watch_OfLaterChanges_GivesEach()
    {
        long start = (await Store.ListAsync("", None)).Revision;
        await using WatchReader watch = new(Store.WatchAsync("", start, None));
        for (int i = 0; i < 3; i++)
        {
            long lease = await Store.GrantLeaseAsync(LongLease, None);
            long? revision = await CommitAsync(puts: ["a"], lease: lease);

            StoreChanges changes = await watch.NextAsync();

            Assert.Equal(revision, changes.Revision);
            Assert.Null(changes.Snapshot);
            Assert.Empty(changes.Deleted);
            AssertSame(Assert.Single((await Store.ListAsync("", None)).Entries), Assert.Single(changes.Put));
        }
    }

    [Fact]
    public async Task Watch_OfEarlierChanges_GivesThemInOrder()
    {
        long start = (await Store.ListAsync("", None)).Revision;
        long[] revisions = [await PutAsync("a", "1"), await PutAsync("b", "2"), await PutAsync("a", "3")];

        await using WatchReader watch = new(Store.WatchAsync("", start, None));
        List<StoreChanges> all = [await watch.NextAsync(), await watch.NextAsync(), await watch.NextAsync()];
        Assert.Equal(revisions, all.Select(changes => changes.Revision));
        Assert.Equal(["1", "2", "3"], all.Select(changes => Text(Assert.Single(changes.Put))));

        await using WatchReader later = new(Store.WatchAsync("", revisions[1], None));
        Assert.Equal(revisions[2], (await later.NextAsync()).Revision);
    }

    [Fact]
    public async Task Watch_OfAPrefix_GivesNothingElse()
    {
        long start = (await Store.ListAsync("", None)).Revision;
        await CommitAsync(puts: ["members/a", "other"]);
        await CommitAsync(puts: ["members0", "member"]);
        await CommitAsync(puts: ["another"], deletes: ["other", "members/a"]);

        await using WatchReader watch = new(Store.WatchAsync("members/", start, None));
        Assert.Equal("members/a", Assert.Single((await watch.NextAsync()).Put).Key);
        StoreChanges second = await watch.NextAsync();
        Assert.Empty(second.Put);
        Assert.Equal(["members/a"], second.Deleted);
    }

    [Fact]
    public async Task Watch_OfATransaction_GivesItAtOnce()
    {
        await CommitAsync(puts: ["a", "b"]);
        long start = (await Store.ListAsync("", None)).Revision;
        long? revision = await CommitAsync(puts: ["c", "d"], deletes: ["a", "b", "nothing"]);

        await using WatchReader watch = new(Store.WatchAsync("", start, None));
        StoreChanges changes = await watch.NextAsync();

        Assert.Equal(revision, changes.Revision);
        Assert.Equal(["c", "d"], changes.Put.Select(entry => entry.Key).Order());
        Assert.Equal(["a", "b"], changes.Deleted.Order());
    }

    [Fact]
    public async Task Watch_ByTwo_GivesBothEverything()
    {
        long start = (await Store.ListAsync("", None)).Revision;
        await using WatchReader first = new(Store.WatchAsync("", start, None));
        await using WatchReader second = new(Store.WatchAsync("", start, None));
        Task writing = Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++)
            {
                await PutAsync($"k{i % 7}", $"{i}");
            }
        });
        foreach (WatchReader watch in new[] { first, second })
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.Equal($"{i}", Text(Assert.Single((await watch.NextAsync()).Put)));
            }
        }

        await writing;
    }

    [Fact]
    public async Task Watch_OfLargeValues_GivesThemWhole()
    {
        long start = (await Store.ListAsync("", None)).Revision;
        byte[][] values = [.. Enumerable.Range(0, 6).Select(seed => Large(seed, 700_000))];
        foreach (byte[] value in values)
        {
            await Store.TryCommitAsync(new([], [new("a", value.AsMemory(0, 600_000)), new("b", value.AsMemory(600_000))], []), None);
        }

        await using WatchReader watch = new(Store.WatchAsync("", start, None));
        foreach (byte[] value in values)
        {
            StoreChanges changes = await watch.NextAsync();
            Assert.Equal(["a", "b"], changes.Put.Select(entry => entry.Key).Order());
            Assert.True(value.AsSpan().SequenceEqual([.. changes.Put.OrderBy(entry => entry.Key).SelectMany(entry => entry.Value.ToArray())]));
        }
    }

    [Fact]
    public async Task Watch_WhenCancelled_IsCancelled()
    {
        using CancellationTokenSource cancelled = new();
        await using WatchReader watch = new(Store.WatchAsync("", (await Store.ListAsync("", None)).Revision, cancelled.Token));
        Task<StoreChanges> next = watch.NextAsync();
        await PutAsync("a", "1");
        await next;
        next = watch.NextAsync();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
    }
}
