using System.Text;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>What every store does. Derived classes say which store, and how time passes.</summary>
public abstract class ClusterStoreContract : IAsyncLifetime
{
    /// <summary>Longest wait for what is under way.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>The shortest lease of every store.</summary>
    protected static readonly TimeSpan ShortestLease = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongLease = TimeSpan.FromSeconds(60);

    protected IClusterStore Store { get; private set; } = null!;

    protected static CancellationToken None => CancellationToken.None;

    public async ValueTask InitializeAsync() => Store = await CreateAsync();

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task List_OfNothing_IsEmptyAtARevision()
    {
        StoreSnapshot snapshot = await Store.ListAsync("", None);
        Assert.Empty(snapshot.Entries);
        Assert.True(snapshot.Revision > 0);
    }

    [Fact]
    public async Task List_AfterPuts_IsInOrderOfKeysWithRevisions()
    {
        long second = await PutAsync("b", "1");
        long first = await PutAsync("a", "2");
        long changed = await PutAsync("b", "3");

        StoreSnapshot snapshot = await Store.ListAsync("", None);

        Assert.Equal(changed, snapshot.Revision);
        Assert.Equal(
            [("a", "2", first, first, 0), ("b", "3", second, changed, 0)],
            snapshot.Entries.Select(entry => (entry.Key, Text(entry), entry.CreateRevision, entry.ModifyRevision, entry.Lease)));
    }

    [Theory]
    [InlineData("", "m, members/, members/a, members/b, members0")]
    [InlineData("members", "members/, members/a, members/b, members0")]
    [InlineData("members/", "members/, members/a, members/b")]
    [InlineData("members/b", "members/b")]
    [InlineData("members/c", "")]
    public async Task List_OfAPrefix_IsWhatBeginsWithIt(string prefix, string keys)
    {
        await CommitAsync(puts: ["members/b", "members/a", "members/", "members0", "m"]);
        Assert.Equal(keys, string.Join(", ", (await Store.ListAsync(prefix, None)).Entries.Select(entry => entry.Key)));
    }

    [Fact]
    public async Task List_OfAnyBytes_GivesThemBack()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];
        await Store.TryCommitAsync(new([], [new("all", all), new("none", ReadOnlyMemory<byte>.Empty), new("nœud/é ☃", all)], []), None);

        StoreSnapshot snapshot = await Store.ListAsync("", None);

        Assert.Equal(["all", "none", "nœud/é ☃"], snapshot.Entries.Select(entry => entry.Key));
        Assert.Equal(all, snapshot.Entries[0].Value.ToArray());
        Assert.Empty(snapshot.Entries[1].Value.ToArray());
    }

    [Fact]
    public async Task List_WhenCancelled_IsCancelled() =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.ListAsync("", new CancellationToken(canceled: true)));

    [Fact]
    public async Task TryCommit_WithoutConditions_ReturnsTheRevisionOfItsChanges()
    {
        long before = (await Store.ListAsync("", None)).Revision;
        long? revision = await CommitAsync(puts: ["a", "b"]);
        StoreSnapshot after = await Store.ListAsync("", None);
        Assert.True(revision > before);
        Assert.Equal(after.Revision, revision);
        Assert.All(after.Entries, entry => Assert.Equal(revision, entry.ModifyRevision));
    }

    [Fact]
    public async Task TryCommit_OfAnAbsentKeyThatIsThere_ChangesNothing()
    {
        Assert.NotNull(await CommitAsync([new("a", 0)], ["a"]));
        StoreSnapshot before = await Store.ListAsync("", None);

        Assert.Null(await CommitAsync([new("a", 0)], ["a", "b"]));

        await AssertUnchangedAsync(before);
    }

    [Fact]
    public async Task TryCommit_OfTheKeysLastRevision_ChangesIt()
    {
        long first = await PutAsync("a", "1");
        long? second = await CommitAsync([new("a", first)], ["a"]);
        StoreEntry entry = Assert.Single((await Store.ListAsync("", None)).Entries);
        Assert.Equal(first, entry.CreateRevision);
        Assert.Equal(second, entry.ModifyRevision);
    }

    [Fact]
    public async Task TryCommit_OfAnOlderRevision_ChangesNothing()
    {
        long first = await PutAsync("a", "1");
        await PutAsync("a", "2");
        StoreSnapshot before = await Store.ListAsync("", None);

        Assert.Null(await CommitAsync([new("a", first)], deletes: ["a"]));

        await AssertUnchangedAsync(before);
    }

    [Fact]
    public async Task TryCommit_WithOneOfTwoConditions_ChangesNothing()
    {
        long revision = await PutAsync("a", "1");
        StoreSnapshot before = await Store.ListAsync("", None);

        Assert.Null(await CommitAsync([new("a", revision), new("b", revision)], ["c"], ["a"]));
        Assert.Null(await CommitAsync([new("b", revision), new("a", revision)], ["c"], ["a"]));

        await AssertUnchangedAsync(before);
    }

    [Fact]
    public async Task TryCommit_WithConditionsOnly_SaysWhetherTheyHold()
    {
        long revision = await PutAsync("a", "1");
        StoreSnapshot before = await Store.ListAsync("", None);

        Assert.NotNull(await CommitAsync([new("a", revision), new("b", 0)]));
        Assert.Null(await CommitAsync([new("a", 0)]));

        await AssertUnchangedAsync(before);
    }

    [Fact]
    public async Task TryCommit_OfDeletes_RemovesWhatIsThere()
    {
        await CommitAsync(puts: ["a", "b"]);
        Assert.NotNull(await CommitAsync(deletes: ["a", "nothing"]));
        Assert.Equal(["b"], (await Store.ListAsync("", None)).Entries.Select(entry => entry.Key));
    }

    [Fact]
    public async Task TryCommit_ThatDeletesNothing_LeavesTheRevision()
    {
        long revision = await PutAsync("a", "1");
        Assert.Equal(revision, await CommitAsync(deletes: ["nothing"]));
        Assert.Equal(revision, (await Store.ListAsync("", None)).Revision);
    }

    [Fact]
    public async Task TryCommit_OfAKeyThatWasDeleted_CreatesItAnew()
    {
        await PutAsync("a", "1");
        await CommitAsync(deletes: ["a"]);
        long? again = await CommitAsync([new("a", 0)], ["a"]);
        Assert.Equal(again, Assert.Single((await Store.ListAsync("", None)).Entries).CreateRevision);
    }

    [Fact]
    public async Task TryCommit_OfAKeyTwice_IsAnError()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(puts: ["a", "a"]));
        await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(puts: ["a"], deletes: ["a"]));
    }

    [Fact]
    public async Task TryCommit_OfAsMuchAsIsAllowed_DoesItAll()
    {
        string[] keys = [.. Enumerable.Range(0, StoreTransaction.MaxOperations).Select(number => $"{number:000}")];
        Assert.NotNull(await CommitAsync([.. keys.Select(key => new StoreCondition(key, 0))], keys));
        Assert.Equal(keys, (await Store.ListAsync("", None)).Entries.Select(entry => entry.Key));
        await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(puts: [.. keys, "one more"]));
    }

    [Fact]
    public async Task TryCommit_OfMany_LetsOneWin()
    {
        long revision = await PutAsync("a", "1");
        long?[] results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => CommitAsync([new("a", revision)], ["a"]))));
        Assert.Single(results, result => result is not null);
    }

    [Fact]
    public async Task TryCommit_WithALeaseThatEnded_IsRefusedAndChangesNothing()
    {
        long lease = await Store.GrantLeaseAsync(LongLease, None);
        await Store.RevokeLeaseAsync(lease, None);
        StoreSnapshot before = await Store.ListAsync("", None);

        await Assert.ThrowsAsync<ClusterStoreException>(() => CommitAsync(puts: ["a", "b"], lease: lease));

        await AssertUnchangedAsync(before);
    }

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

    /// <summary>An empty store.</summary>
    protected abstract ValueTask<IClusterStore> CreateAsync();

    /// <summary>Lets time pass for the store.</summary>
    protected abstract Task PassAsync(TimeSpan time);

    protected static string Text(StoreEntry entry) => Encoding.UTF8.GetString(entry.Value.Span);

    protected async Task<long> PutAsync(string key, string value) =>
        (await Store.TryCommitAsync(new([], [new(key, Encoding.UTF8.GetBytes(value))], []), None))!.Value;

    private Task<long?> CommitAsync(StoreCondition[]? conditions = null, string[]? puts = null, string[]? deletes = null, long lease = 0) =>
        Store.TryCommitAsync(
            new(conditions ?? [], [.. (puts ?? []).Select(key => new StorePut(key, Encoding.UTF8.GetBytes("value"), lease))], deletes ?? []), None);

    private async Task AssertUnchangedAsync(StoreSnapshot before)
    {
        StoreSnapshot after = await Store.ListAsync("", None);
        Assert.Equal(before.Revision, after.Revision);
        Assert.Equal(before.Entries.Count, after.Entries.Count);
        foreach ((StoreEntry expected, StoreEntry actual) in before.Entries.Zip(after.Entries))
        {
            AssertSame(expected, actual);
        }
    }

    private static void AssertSame(StoreEntry expected, StoreEntry actual)
    {
        Assert.Equal(expected with { Value = default }, actual with { Value = default });
        Assert.Equal(expected.Value.ToArray(), actual.Value.ToArray());
    }

    private static byte[] Large(int seed, int length)
    {
        byte[] value = new byte[length];
        new Random(seed).NextBytes(value);
        return value;
    }
}
