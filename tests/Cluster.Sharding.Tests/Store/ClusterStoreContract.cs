using System.Text;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>What every store does. Derived classes say which store, and how time passes.</summary>
public abstract partial class ClusterStoreContract : IAsyncLifetime
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
